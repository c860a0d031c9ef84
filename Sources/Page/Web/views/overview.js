// Overview: allowed and denied traffic with reasons, the ends with the most traffic, and findings.

import {timeChart} from "../chart.js";
import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {pairState} from "../ends.js";
import {both} from "../filter.js";
import {findings} from "../findings.js";
import {hitText} from "../names.js";
import {bar, card, choice, content, lastSeen, link, number, pairName, reasonText, verdict} from "../parts.js";
import {rangeParams, toView} from "../state.js";
import {table} from "../table.js";
import {amount, bytes, rate, si} from "../text.js";

export const title = "Overview";

/** The requests of the page. */
export function needs(ctx) {
  return [{name: "overview", path: "overview", params: rangeParams(ctx.state)}];
}

/** The page. */
export function view(ctx) {
  const entry = ctx.store.entry("overview");
  return h("div", {class: `stack ${entry.isStale ? "stale" : ""}`}, content(ctx, entry, (data) => page(ctx, data), 8));
}

function page(ctx, data) {
  if (data.totals.records === 0) return [emptyState(ctx, data.range), findingsCard(ctx, data)];
  return [
    summary(ctx, data),
    card(
      "Traffic over time", {actions: measureChoice(ctx), note: chartNote(data)},
      timeChart(ctx, {id: "overview-chart", series: data.series, range: data.range, measure: ctx.state.measure})
    ),
    h("div", {class: "columns"}, h("div", {class: "stack"}, denied(ctx, data), findingsCard(ctx, data)),
      talkers(ctx, data)),
  ];
}

/** The switch between connections and bytes. */
export function measureChoice(ctx) {
  return choice(
    "Measure", [["connections", "Connections"], ["bytes", "Bytes"]], ctx.state.measure,
    (measure) => ctx.set({measure}, true)
  );
}

function chartNote(data) {
  const seconds = data.series.interval;
  return `per ${seconds >= 3600 ? `${seconds / 3600} h` : seconds >= 60 ? `${seconds / 60} min` : `${seconds} s`}`;
}

function summary(ctx, data) {
  const {totals, rates} = data;
  const deny = both(ctx.state.filter, 'action == "deny"');
  const tiles = [
    tile(
      ctx, "Allowed", si(totals.allowed.connections), `${rate(rates.allowed_connections)}/s now`,
      toView(ctx.state, "records", {filter: both(ctx.state.filter, 'action == "allow"')}), "allow"
    ),
    tile(
      ctx, "Denied", si(totals.denied.connections), `${rate(rates.denied_connections)}/s now`,
      toView(ctx.state, "records", {filter: deny}), "deny"
    ),
    tile(
      ctx, "Transferred", bytes(totals.allowed.bytes + totals.denied.bytes), `${bytes(rates.bytes)}/s now`,
      toView(ctx.state, "flows", {measure: "bytes"}), ""
    ),
    tile(
      ctx, "Pending differs", si(totals.pending_differs.connections), "connections",
      toView(ctx.state, "policies", {show: "staged"}), "pending"
    ),
    tile(ctx, "Records", si(totals.records), "in this range", toView(ctx.state, "records"), ""),
  ];
  return h(
    "section", {class: "summary", "aria-label": "State"}, h("p", {class: "sentence"}, data.sentence),
    h("div", {class: "tiles"}, tiles)
  );
}

function tile(ctx, label, value, note, state, tone) {
  return link(
    ctx, state, {key: label, class: `tile ${tone}`}, h("span", {class: "tile-label"}, label),
    h("span", {class: "tile-value"}, value), h("span", {class: "tile-note"}, note)
  );
}

function openPair(ctx, pair) {
  return toView(ctx.state, "flows", {by: "workload", ...pairState(pair)});
}

function denied(ctx, data) {
  const rows = data.top_denied;
  const shown = ctx.ui.allDenied ? rows : rows.slice(0, 8);
  return card(
    "Denied",
    {class: "wide-column", note: rows.length > 0 ? "most connections first" : ""},
    rows.length === 0 && h("p", {class: "calm"}, "Nothing was denied in this time range."),
    rows.length > 0 && table({
      caption: "Denied connections by source, destination and port",
      rows: shown,
      key: (row) => row.pair.filter ?? JSON.stringify(row.pair),
      open: (row) => ctx.go(openPair(ctx, row.pair)),
      className: "denied-table",
      columns: [
        {
          id: "pair",
          label: "Source → destination",
          cell: (row) =>
            [link(ctx, openPair(ctx, row.pair), {class: "row-link"}, pairName(row.pair, 26)),
             h("div", {class: "reason"}, verdict("deny", row.pair.pending?.differs > 0), " ",
               reasonText(row.reason ?? hitText(row.pair.rule))),
  ]
        },
        {
          id: "connections",
          label: "Conn.",
          title: "denied connections",
          isNumber: true,
          cell: (row) => number(row.pair.denied.connections)
        },
        {id: "last", label: "Last", class: "nowrap", cell: (row) => lastSeen(row.pair.last_seen, ctx)},
      ],
    }),
    rows.length > shown.length &&
      h("button", {type: "button", class: "quiet", on: {click: () => ctx.setUI({allDenied: true})}},
        `Show ${rows.length - shown.length} more`),
  );
}

function talkers(ctx, data) {
  const rows = data.top_talkers.slice(0, 10);
  const most = Math.max(1, ...rows.map(({pair}) => pair.allowed.bytes + pair.denied.bytes));
  return card(
    "Top talkers",
    {note: "by bytes"},
    table({
      caption: "Pairs with most bytes",
      rows,
      key: (row) => row.pair.filter ?? JSON.stringify(row.pair),
      open: (row) => ctx.go(openPair(ctx, row.pair)),
      className: "talkers-table",
      columns: [
        {
          id: "pair",
          label: "Source → destination",
          cell: (row) =>
            [link(ctx, openPair(ctx, row.pair), {class: "row-link"}, pairName(row.pair, 24)),
             bar(row.pair.allowed.bytes, row.pair.denied.bytes, most),
  ]
        },
        {
          id: "bytes",
          label: "Bytes",
          isNumber: true,
          cell: (row) => amount(row.pair.allowed.bytes + row.pair.denied.bytes, "bytes")
        },
        {
          id: "connections",
          label: "Conn.",
          isNumber: true,
          cell: (row) => number(row.pair.allowed.connections + row.pair.denied.connections)
        },
      ],
    }),
  );
}

function findingsCard(ctx, data) {
  return card("Findings", {note: data.findings.length > 0 ? "most severe first" : ""}, findings(ctx, data.findings));
}
