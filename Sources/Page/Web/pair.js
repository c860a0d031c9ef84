// The panel of one source → destination: the explanation, ports, and statistics over time.

import {timeChart} from "./chart.js";
import {queryCommand} from "./commands.js";
import {AMOUNT_SUMS, countedRows} from "./counted.js";
import {h} from "./dom.js";
import {encodeEnd, encodePort, portOf} from "./ends.js";
import {both} from "./filter.js";
import {portText} from "./names.js";
import {button, card, content, endName, lastSeen, link, loading, number, pairName, reasonText, verdict} from "./parts.js";
import {copyText} from "./shell.js";
import {rangeParams, toView} from "./state.js";
import {table} from "./table.js";
import {trace, traceButton} from "./trace.js";

/** The reporters of a pair, and the titles of their explanations. */
const REPORTERS = {
  src: "Egress of the source",
  dst: "Ingress of the destination",
  fwd: "Forwarding host"
};

/** The requests of the panel for a pair with its filter. */
export function pairNeeds(state, filter) {
  const range = {...rangeParams(state), filter};
  const explain = (reporter) => ({
    name: `explain-${reporter}`,
    path: "explain",
    params: {...range, filter: both(filter, `reporter == "${reporter}"`)}
  });
  return [
    {
      name: "pair-ports",
      path: "query",
      params: {...range, group_by: "dest_port,proto,reporter,action", sum: AMOUNT_SUMS, limit: 200}
    },
    {name: "pair-time", path: "overview", params: range},
    {
      name: "pair-ends",
      path: "query",
      params: {
        ...range,
        group_by: "source_name,source_namespace,dest_name,dest_namespace,reporter,action",
        sum: AMOUNT_SUMS,
        limit: 200
      }
    },
    ...Object.keys(REPORTERS).map(explain),
  ];
}

/** The panel of a pair; `below` is the level of the pairs within it, or null. */
export function pairPanel(ctx, pair, below) {
  if (!pair.filter)
    return card("Pair", null, h("p", {class: "error"}, "The names of this pair cannot be written as a filter."));
  const title = pairName({source: pair.from, dest: pair.to}, 40);
  return h(
    "div",
    {class: "pair-panel", key: `${ctx.state.from} ${ctx.state.to} ${ctx.state.port}`},
    card(
      h("span", null, title, ctx.state.port && h("span", {class: "port"}, portOf(ctx.state.port))),
      {class: "why", actions: closeButton(ctx)}, why(ctx), buttons(ctx, pair, below)
    ),
    card(
      "Ports", {entry: ctx.store.entry("pair-ports")},
      content(ctx, ctx.store.entry("pair-ports"), (data) => ports(ctx, data))
    ),
    card(
      "Over time", {entry: ctx.store.entry("pair-time")},
      content(ctx, ctx.store.entry("pair-time"), (data) => timeChart(ctx, {
                                                   id: "pair-chart",
                                                   series: data.series,
                                                   range: data.range,
                                                   measure: ctx.state.measure,
                                                   height: 70,
                                                   isFolding: true
                                                 }))
    ),
    below === "pod" && pods(ctx),
  );
}

function closeButton(ctx) {
  return button("Close", () => ctx.set({from: "", to: "", port: ""}), {title: "Back to the ring (Esc)"});
}

function why(ctx) {
  const sides = Object.keys(REPORTERS).map((reporter) => ({reporter, entry: ctx.store.entry(`explain-${reporter}`)}));
  if (sides.some(({entry}) => entry.isLoading && (!entry.data || entry.isStale))) return loading(4);
  const known = sides.filter(({entry}) => entry.data?.now && !entry.isStale).map(({reporter, entry
                                                                                 }) => ({reporter, ...entry.data}));
  if (known.length === 0)
    return h(
      "p", {class: "muted"},
      sides.every(({entry}) => entry.error?.kind === "missing") ? "No record of this pair in the time range." :
                                                                  "No policies are known to apply to this pair."
    );
  const deciding = known.find((one) => one.now.action === "deny") ?? known[0];
  const isDenied = deciding.now.action === "deny";
  return [
    h("p", {class: `reason-line ${isDenied ? "deny" : "allow"}`},
      verdict(
        deciding.now.action,
        deciding.pending && !deciding.pending.is_same && deciding.pending.action !== deciding.now.action
      ),
      " ", reasonText(deciding.now.sentence)),
    known.sort(
           (a, b) => Number(b === deciding) - Number(a === deciding)
    ).map((one) => h("div", {key: one.reporter}, trace(one, REPORTERS[one.reporter], one === deciding))),
  ];
}

function buttons(ctx, pair, below) {
  const filter = both(ctx.state.filter, pair.filter);
  const within = below &&
    link(ctx, {...ctx.state, filter, from: "", to: "", port: "", focus: "", by: below, view: "flows"},
         {class: "button"}, `${below === "pod" ? "Pods" : "Workloads"} of this pair`);
  return h(
    "p",
    {class: "detail-links"},
    within,
    link(ctx, toView(ctx.state, "records", {filter}), {class: "button"}, "Records"),
    button(
      ctx.ui.copied === "command" ? "Copied" : "Copy as command",
      () => copyText(ctx, "command", queryCommand(ctx.state, filter))
    ),
    traceButton(ctx, ["src", "dst"].map((one) => ctx.store.entry(`explain-${one}`).data?.record).find(Boolean)),
  );
}

/** Reduces the rows of a query by port, reporter and action to one for each port, with each connection counted once. */
export function byPort(data) {
  return countedRows(data.rows)
    .map(({group: [port, proto], allowed, denied, last}) => ({
           port,
           proto,
           denied: denied.connections,
           allowed: allowed.connections,
           bytes: allowed.bytes + denied.bytes,
           packets: allowed.packets + denied.packets,
           last
         }))
    .sort((a, b) => b.denied - a.denied || b.allowed - a.allowed);
}

function ports(ctx, data) {
  const rows = byPort(data);
  const chosen = ctx.state.port;
  return table({
    caption: "Ports of this pair",
    rows,
    key: (row) => `${row.port}/${row.proto}`,
    className: "ports-table",
    open: (row) => ctx.set({port: chosen === encodePort(row.port, row.proto) ? "" : encodePort(row.port, row.proto)}),
    columns: [
      {id: "port", label: "Port", class: "nowrap", cell: (row) => portText(row.port, row.proto)},
      {
        id: "action",
        label: "Action",
        cell: (row) =>
          [row.denied > 0 && verdict("deny"), row.denied > 0 && row.allowed > 0 && " ",
           row.allowed > 0 && verdict("allow")]
      },
      {id: "denied", label: "Denied", isNumber: true, cell: (row) => number(row.denied)},
      {id: "allowed", label: "Allowed", isNumber: true, cell: (row) => number(row.allowed)},
      {id: "bytes", label: "Bytes", isNumber: true, cell: (row) => number(row.bytes, "bytes")},
      {id: "packets", label: "Packets", isNumber: true, cell: (row) => number(row.packets)},
      {id: "last", label: "Last", class: "nowrap", cell: (row) => lastSeen(row.last, ctx)},
    ],
  });
}

function pods(ctx) {
  const entry = ctx.store.entry("pair-ends");
  if (!entry.data) return null;
  const isNamed = (name) => name !== null && name !== undefined && name !== "-";
  const rows = countedRows(entry.data.rows).filter(({group}) => isNamed(group[0]) || isNamed(group[2]));
  if (rows.length === 0) return null;
  const end = (name, namespace) => ({
    kind: isNamed(name) ? "pod" : "network",
    namespace: isNamed(namespace) ? namespace : null,
    name: name ?? "-",
  });
  const source = (row) => end(row.group[0], row.group[1]);
  const dest = (row) => end(row.group[2], row.group[3]);
  const open = (row) => {
    if (isNamed(row.group[0]) && isNamed(row.group[2]))
      ctx.set({by: "pod", from: encodeEnd(source(row)), to: encodeEnd(dest(row))});
  };
  return card("Pods", {entry}, table({
                caption: "Pods of this pair",
                rows,
                open,
                key: (row) => JSON.stringify(row.group),
                className: "pods-table",
                columns: [
                  {id: "source", label: "Source", cell: (row) => endName(source(row), 30)},
                  {id: "dest", label: "Destination", cell: (row) => endName(dest(row), 30)},
                  {id: "denied", label: "Denied", isNumber: true, cell: (row) => number(row.denied.connections)},
                  {id: "allowed", label: "Allowed", isNumber: true, cell: (row) => number(row.allowed.connections)},
                  {
                    id: "bytes",
                    label: "Bytes",
                    isNumber: true,
                    cell: (row) => number(row.allowed.bytes + row.denied.bytes, "bytes")
                  },
                ],
              }));
}
