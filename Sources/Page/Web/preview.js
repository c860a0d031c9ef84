// The preview of policy changes: sends objects, and shows their effect on recorded connections.

import {post} from "./api.js";
import {previewCommand} from "./commands.js";
import {h} from "./dom.js";
import {both} from "./filter.js";
import {distinct} from "./names.js";
import {button, card, lastSeen, link, message, number, verdict} from "./parts.js";
import {rangeParams, toView} from "./state.js";
import {table} from "./table.js";
import {count} from "./text.js";

const MOST_BYTES = 1 << 20;
const EXAMPLE =
  "kind: NetworkPolicy, StagedNetworkPolicy, … as kubectl apply takes it; several objects with --- between";

const EMPTY = {
  text: "",
  enforces: false,
  isOpen: false,
  isBusy: false,
  error: null,
  answer: null,
  key: ""
};

function current(ctx) {
  return ctx.ui.preview ?? EMPTY;
}

function change(ctx, changes) {
  ctx.setUI({preview: {...current(ctx), ...changes}});
}

/** The button that opens and closes the preview. */
export function previewButton(ctx) {
  const {isOpen} = current(ctx);
  return button(
    isOpen ? "Close the preview" : "Preview a change", () => change(ctx, {isOpen: !isOpen}),
    {key: "preview", "aria-expanded": String(isOpen)}
  );
}

/** The form and the response; null while the preview is closed. */
export function previewCard(ctx, data) {
  const preview = current(ctx);
  if (!preview.isOpen) return null;
  return card(
    "Preview a change", {key: "preview", class: "preview-card", note: "what it would do to recorded connections"},
    data && !data.can_preview ?
      message(
        "No policies are known here",
        "No policies are known here, or not yet all. Start the run or weir ui with --inventory PATH or --kubeconfig PATH."
      ) :
      [
        form(ctx, preview), preview.error && message("There is no preview", preview.error),
        preview.answer && result(ctx, preview)
      ]
  );
}

function form(ctx, preview) {
  const isEmpty = preview.text.trim() === "" && !preview.enforces;
  return h(
    "div", {class: "preview-form"},
    h("label", {class: "preview-label", for: "preview-text"}, "Objects that would be applied (YAML or JSON)"),
    h("textarea", {
      key: "text",
      id: "preview-text",
      class: "input preview-text",
      rows: 9,
      spellcheck: "false",
      placeholder: EXAMPLE,
      value: preview.text,
      on: {input: (event) => change(ctx, {text: event.target.value})}
    }),
    h("div", {class: "preview-actions"},
      h("label", {class: "button"}, "Choose a file", h("input", {
          type: "file",
          class: "sr",
          accept: ".yaml,.yml,.json",
          "aria-label": "Choose a file",
          on: {change: (event) => read(ctx, event.target.files[0])}
        })),
      h("label", {class: "check"}, h("input", {
          type: "checkbox",
          checked: preview.enforces,
          on: {change: (event) => change(ctx, {enforces: event.target.checked})}
        }),
        "Enforce staged policies"),
      button(preview.isBusy ? "Asking …" : "Preview", () => ask(ctx), {
        class: "primary",
        disabled: preview.isBusy || isEmpty
      })),
  );
}

async function read(ctx, file) {
    if (!file) return;
    if (file.size > MOST_BYTES)
      change(ctx, {error: "The file has more than 1 MiB."});
    else
      change(ctx, {text: await file.text(), error: null});
}

async function ask(ctx) {
    const {text, enforces} = current(ctx);
    const params = {...rangeParams(ctx.state), enforce_staged: String(enforces)};
    const key = JSON.stringify([text, params]);
    change(ctx, {isBusy: true, error: null, key});
    const settle = (changes) => current(ctx).key === key && change(ctx, {isBusy: false, ...changes});
    try {
      const answer = await post("policy/preview", params, text, "application/yaml");
      settle({answer: {...answer, state: ctx.state, hasChange: text.trim() !== "", enforces}});
    } catch (error) {
      settle({error: error.message, answer: null});
    }
}

function result(ctx, {answer, key, text, enforces}) {
    const params = {...rangeParams(ctx.state), enforce_staged: String(enforces)};
    const isStale = key !== JSON.stringify([text, params]);
    return h(
      "div",
      {key: "result", class: `preview-result ${isStale ? "stale" : ""}`, role: "status"},
      isStale && h("p", {class: "note"}, "This is of another time range, filter or change: preview again."),
      h("ul", {class: "preview-changes"}, answer.changes.map((one, index) => h("li", {key: index, dir: "auto"}, one))),
      answer.warnings.map((one, index) => h("p", {key: `warning ${index}`, class: "error", dir: "auto"}, one)),
      h("p", {class: "sentence"}, sentence(answer)),
      answer.rows.length > 0 && rows(ctx, answer),
      answer.other_rows > 0 &&
        h("p", {class: "note"}, `${count(answer.other_rows, "more pair")} with fewer connections.`),
      h("p", {class: "note"},
        "Not seen is not safe: connections without a record are not evaluated. The same in a terminal: ",
        h("code", null, previewCommand(answer.state, answer.hasChange, answer.enforces))),
    );
}

function sentence(answer) {
    const {newly_denied: denied, newly_allowed: allowed, unknown} = answer;
    if (answer.connections === 0 && answer.rows.length === 0)
      return "No connection is recorded in this time range: nothing can be said.";
    const pairs = (one, what) => `${count(one.pairs, "pair")} ${what} (${count(one.connections, "connection")})`;
    const parts = [
      denied.pairs > 0 && pairs(denied, "would be denied"),
      allowed.pairs > 0 && pairs(allowed, "would be allowed"),
      unknown.pairs > 0 && pairs(unknown, "cannot be decided"),
    ].filter(Boolean);
    const kept = `${count(answer.kept_pairs, "pair")} stay${answer.kept_pairs === 1 ? "s" : ""} as now`;
    return parts.length === 0 ? `Nothing would change: ${kept}.` : `${parts.join(", ")}; ${kept}.`;
}

function rows(ctx, answer) {
    return table({
      caption: "Connections whose verdict would change",
      className: "preview-table",
      rows: answer.rows.map((row, index) => ({...row, index})),
      key: (row) => row.index,
      open: (row) => ctx.go(recordsOf(ctx, row)),
      columns: [
        {id: "verdict", label: "Now → then", class: "col-verdict", cell: verdicts},
        {id: "pair", label: "Source → destination", cell: (row) => pair(ctx, row)},
        {id: "connections", label: "Conn.", isNumber: true, cell: (row) => number(row.connections)},
        {id: "last", label: "Last", isNumber: true, cell: (row) => lastSeen(row.last_seen, ctx)},
      ],
    });
}

function recordsOf(ctx, row) {
    return toView(ctx.state, "records", {filter: both(ctx.state.filter, row.filter)});
}

function verdicts(row) {
    const one = (action) => (action === "unknown" ? h("span", {class: "verdict other"}, "?") : verdict(action));
    return h("span", {class: "nowrap"}, one(row.before), " → ", one(row.after));
}

function pair(ctx, row) {
    const end = (text) => h("span", {class: "end", dir: "auto", title: text}, h("bdi", null, distinct(text, 60)));
    return [
      link(
        ctx, recordsOf(ctx, row), {class: "row-link", title: "the records"}, end(row.source), " → ", end(row.dest),
        h("span", {class: "port"}, row.port)
      ),
      row.reason ? h("p", {class: "note", dir: "auto"}, `cannot be decided: ${row.reason}`) :
                   [
                     h("p", {class: "note", dir: "auto"}, `now: ${row.before_text ?? "–"}`),
                     h("p", {class: "note", dir: "auto"}, `then: ${row.after_text ?? "–"}`)
                   ],
    ];
}

/** Opens the preview in which all staged policies are enforced. */
export function previewStaged(ctx) {
    change(ctx, {isOpen: true, enforces: true, text: ""});
    ask(ctx);
}
