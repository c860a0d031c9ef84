// The filter line: a text with completion from the data, and with errors marked at their place.

import {get} from "./api.js";
import {h} from "./dom.js";
import {clauses, complete, completionPlace, indexOfByte, OPERATORS, swapEnds, without} from "./filter.js";
import {icon} from "./icons.js";
import {rangeParams} from "./state.js";
import {visible} from "./text.js";

/** The names of fields that both ends have. */
const ENDS = ["ip", "name", "name_aggr", "namespace", "port", "type"];

let asked;

/** The filter line; Enter applies the text. */
export function filterBar(ctx) {
  const text = ctx.ui.draft ?? ctx.state.filter;
  const error = (ctx.ui.draft === undefined || ctx.ui.draft === ctx.state.filter) && ctx.store.filterError(ctx.needs());
  const list = ctx.ui.menu === "filter" ? ctx.ui.proposals ?? [] : [];
  return h(
    "form",
    {
      class: "filter",
      role: "search",
      "data-menu": "",
      on: {
        submit: (event) => {
          event.preventDefault();
          use(ctx, ctx.ui.draft ?? ctx.state.filter);
        }
      }
    },
    h(
      "div",
      {class: `filter-line ${error ? "wrong" : ""}`},
      icon("filter"),
      h("input", {
        id: "filter",
        class: "filter-input",
        type: "text",
        value: text,
        spellcheck: "false",
        autocomplete: "off",
        autocapitalize: "off",
        placeholder: 'Filter, as source_namespace == "shop" && action == "deny"',
        "aria-label": "Filter",
        role: "combobox",
        dir: "ltr",
        "aria-expanded": String(list.length > 0),
        "aria-controls": "proposals",
        "aria-autocomplete": "list",
        "aria-invalid": error ? "true" : undefined,
        "aria-describedby": error ? "filter-error" : undefined,
        "aria-activedescendant": ctx.ui.selected >= 0 && list.length > 0 ? `proposal-${ctx.ui.selected}` : undefined,
        on: {
          input: (event) => propose(ctx, event.target),
          focus: (event) => propose(ctx, event.target),
          click: (event) => propose(ctx, event.target),
          keydown: (event) => keys(ctx, event, list),
          blur: () => setTimeout(
            () => ctx.ui.menu === "filter" && !document.activeElement?.closest(".filter") && ctx.setUI({menu: null}),
            150
          ),
        },
      }),
      text &&
        h("button", {
          key: "swap",
          type: "button",
          class: "tool",
          title: "Exchange source and destination",
          "aria-label": "Exchange source and destination",
          on: {click: () => use(ctx, swapEnds(text))}
        },
          "⇄"),
      text &&
        h("button", {
          key: "clear",
          type: "button",
          class: "tool",
          title: "Remove the filter",
          "aria-label": "Remove the filter",
          on: {click: () => use(ctx, "")}
        },
          icon("close")),
    ),
    error && errorText(error, ctx.state.filter),
    list.length > 0 && proposals(ctx, list),
    ctx.state.filter && !error && chips(ctx),
  );
}

function use(ctx, filter) {
  ctx.ui.draft = undefined;
  ctx.ui.selected = -1;
  ctx.set({filter: filter.trim(), record: ""});
}

function chips(ctx) {
  const parts = clauses(ctx.state.filter);
  if (parts.length < 2) return null;
  return h(
    "div", {class: "chips"},
    parts.map(
      (part) =>
        h("button", {
          key: part,
          type: "button",
          class: "chip",
          title: "Remove this part",
          on: {click: () => use(ctx, without(ctx.state.filter, part))}
        },
          h("bdi", null, visible(part)), icon("close"))
    )
  );
}

function errorText(error, filter) {
  const from = indexOfByte(filter, error.offset ?? 0);
  const to = Math.max(from + 1, indexOfByte(filter, (error.offset ?? 0) + (error.length ?? 1)));
  return h(
    "div",
    {id: "filter-error", class: "filter-error", role: "alert"},
    error.offset !== undefined &&
      h("code", null, visible(filter.slice(0, from)), h("mark", null, visible(filter.slice(from, to)) || "␣"),
        visible(filter.slice(to))),
    h("span", null, error.message),
  );
}

function proposals(ctx, list) {
  return h(
    "ul", {id: "proposals", class: "menu proposals", role: "listbox", "aria-label": "Completions"},
    list.map(
      (one, index) => h(
        "li",
        {
          key: one.text,
          id: `proposal-${index}`,
          role: "option",
          "aria-selected": String(index === ctx.ui.selected),
          on: {
            mousedown: (event) => {
              event.preventDefault();
              choose(ctx, one);
            }
          }
        },
        h("bdi", {class: "proposal"}, visible(one.text)),
        one.note && h("span", {class: "note"}, one.note),
      )
    )
  );
}

function keys(ctx, event, list) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (list.length === 0) return;
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    ctx.setUI(
      {selected: (ctx.ui.selected + step + list.length + (ctx.ui.selected < 0 && step < 0 ? 1 : 0)) % list.length}
    );
  } else if ((event.key === "Tab" || event.key === "Enter") && ctx.ui.selected >= 0 && list[ctx.ui.selected]) {
    event.preventDefault();
    choose(ctx, list[ctx.ui.selected]);
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (ctx.ui.menu === "filter" && list.length > 0)
      ctx.setUI({menu: null, selected: -1});
    else {
      ctx.ui.draft = undefined;
      event.target.blur();
      ctx.setUI({menu: null});
    }
  }
}

function choose(ctx, one) {
  const input = document.getElementById("filter");
  const made = complete(input.value, input.selectionStart, ctx.ui.place, one.text);
  ctx.setUI({draft: made.text, selected: -1});
  requestAnimationFrame(() => requestAnimationFrame(() => {
                          input.focus();
                          input.setSelectionRange(made.cursor, made.cursor);
                          propose(ctx, input);
                        }));
}

async function propose(ctx, input) {
  const place = completionPlace(input.value, input.selectionStart ?? input.value.length);
  Object.assign(ctx.ui, {draft: input.value, place, menu: "filter", selected: -1});
  asked?.abort();
  const signal = (asked = new AbortController()).signal;
  let list = [];
  try {
    list = await candidates(ctx, place, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
  }
  if (!signal.aborted) ctx.setUI({proposals: list.slice(0, 12)});
}

async function candidates(ctx, place, signal) {
  const starts = (one) => one.text.toLowerCase().startsWith(place.prefix.toLowerCase());
  if (place.kind === "joint") return [{text: "&&", note: "and"}, {text: "||", note: "or"}].filter(starts);
  if (place.kind === "operator") return OPERATORS.map((text) => ({text})).filter(starts);
  if (place.kind === "field") {
    ctx.fields ??= (await get("fields", {}, signal)).fields;
    const ends = ENDS.map((name) => ({text: name, note: `${name} of the source or of the destination`}));
    const named = [...ctx.fields.map((field) => ({text: field.name, note: field.meaning})), ...ends];
    const within = (one) => !starts(one) && place.prefix.length > 1 && one.text.includes(place.prefix);
    return [...named.filter(starts), ...named.filter(within)];
  }
  const params = {
    ...rangeParams(ctx.state),
    filter: undefined,
    field: ENDS.includes(place.field) ? `dest_${place.field}` : place.field,
    prefix: place.prefix,
    limit: 12
  };
  const answer = await get("values", params, signal);
  return answer.values.filter((value) => value !== null).map((value) => ({text: String(value)}));
}
