// The details of an open record: the reason for its verdict, and all of its fields.

import {h} from "./dom.js";
import {encodePort} from "./ends.js";
import {both, term} from "./filter.js";
import {button, content, link} from "./parts.js";
import {recordAddress} from "./record.js";
import {copyText} from "./shell.js";
import {toView} from "./state.js";
import {zone} from "./text.js";
import {trace, traceButton} from "./trace.js";

/** The part below an open record: the reason, and all fields. */
export function detail(ctx, row) {
  const entry = ctx.store.entry("explain-record");
  return h(
    "div",
    {class: "record-detail"},
    content(
      ctx, entry.isStale ? {...entry, data: null} : entry,
      (data) =>
        (data.now ? trace(data, null) : h("p", {class: "muted"}, "No policies are known to apply to this record.")),
      3
    ),
    h("p", {class: "detail-links"},
      link(
        ctx,
        toView(ctx.state, "flows", {by: "workload", ...recordAddress(row), port: encodePort(row.dest_port, row.proto)}),
        {class: "button"}, "Show this pair in the visualizer"
      ),
      button(
        ctx.ui.copied === "record" ? "Copied" : "Copy as JSON", () => copyText(ctx, "record", JSON.stringify(row))
      ),
      traceButton(ctx, row)),
    h("p", {class: "note"}, "Click a value to see only records with it; Shift-click for all others."),
    h("dl", {class: "fields"},
      Object.entries(row).filter(
                           ([name]) => name !== "id"
      ).map(([name, value]) => [h("dt", {key: name}, name), h("dd", {key: `${name} is`}, fieldValue(ctx, name, value))])
    ),
  );
}

function fieldValue(ctx, name, value) {
  if (value === null || (typeof value === "object" && name !== "policies" && !Array.isArray(value) && !value.labels))
    return h("span", {class: "muted"}, value === null ? "null" : JSON.stringify(value));
  if (typeof value === "object") return h("span", {class: "object", dir: "auto"}, JSON.stringify(value));
  const question = /^(num_|bytes|packets|transit|http|tcp_|start_time|end_time)/.test(name) ? null : term(name, value);
  if (name === "start_time" || name === "end_time")
    return h("span", {class: "plain"}, `${value} (${ctx.stamp(value)} ${zone(value, ctx.utc())})`);
  if (!question) return h("span", {class: "plain"}, String(value));
  return h(
    "button", {
      type: "button",
      class: "value",
      dir: "auto",
      on: {click: (event) => ctx.set({filter: both(ctx.state.filter, term(name, value, event.shiftKey)), record: ""})},
    },
    String(value)
  );
}
