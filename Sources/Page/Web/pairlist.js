// The edges of a graph as a table with the numbers of the drawing, for sorting and for screen readers.

import {h} from "./dom.js";
import {bar, number, pairName} from "./parts.js";
import {table} from "./table.js";

const SHOWN = 40;

/** The table of a graph's pairs, denied ones first; `open(edge)` selects one. */
export function pairList(ctx, data, open) {
  const {measure} = ctx.state;
  const byId = nodesById(data);
  const most = Math.max(1, ...data.edges.map((edge) => edge.allowed[measure] + edge.denied[measure]));
  const sorted = [...data.edges].sort(
    (a, b) => Number(b.denied.connections > 0) - Number(a.denied.connections > 0) ||
      b.denied.connections - a.denied.connections || b.allowed[measure] - a.allowed[measure]
  );
  const all = ctx.ui.allPairs;
  const rows = ctx.state.sort ? data.edges : all ? sorted : sorted.slice(0, SHOWN);
  const rest = data.edges.length - rows.length;
  const restSum =
    sorted.slice(rows.length)
      .reduce(
        (sum, edge) => [sum[0] + edge.denied.connections, sum[1] + edge.allowed[measure] + edge.denied[measure]], [0, 0]
      );
  const other = data.other.edges + rest;
  return [
    table({
      caption: "Pairs of source and destination, with allowed and denied traffic",
      rows,
      key: (edge) => `${edge.source}\u0000${edge.dest}`,
      open,
      className: "pair-table",
      sort: ctx.state.sort,
      onSort: (sort) => ctx.set({sort}, true),
      columns: [
        {
          id: "pair",
          label: "Source → destination",
          value: (edge) => edge.source,
          cell: (edge) =>
            [h("button", {
               type: "button",
               class: "row-link",
               on: {
                 click: (event) => {
                   event.stopPropagation();
                   open(edge);
                 }
               }
             },
               pairName({source: byId.get(edge.source), dest: byId.get(edge.dest)}, 22)),
             bar(edge.allowed[measure], edge.denied[measure], most)]
        },
        {
          id: "denied",
          label: "Denied",
          title: "denied connections",
          isNumber: true,
          value: (edge) => edge.denied.connections,
          cell: (edge) => edge.denied.connections > 0 ?
            h("span", {class: "deny-number"}, number(edge.denied.connections),
              edge.pending?.differs > 0 && verdictMark()) :
            h("span", {class: "muted"}, "0")
        },
        {
          id: "all",
          label: measure === "bytes" ? "Bytes" : "Conn.",
          isNumber: true,
          value: (edge) => edge.allowed[measure] + edge.denied[measure],
          cell: (edge) => number(edge.allowed[measure] + edge.denied[measure], measure)
        },
      ],
      foot: [
        ...(
          other > 0 ? [[
            `other (${other} pairs)`, number(data.other.denied.connections + restSum[0]),
            number(data.other.allowed[measure] + data.other.denied[measure] + restSum[1], measure)
          ]] :
                      []
        ),
        [
          "all", number(data.total.denied.connections),
          number(data.total.allowed[measure] + data.total.denied[measure], measure)
        ],
      ],
    }),
    rest > 0 &&
      h("button", {type: "button", class: "quiet", on: {click: () => ctx.setUI({allPairs: true})}},
        `Show ${rest} more pairs`),
  ];
}

function verdictMark() {
  return h("span", {class: "differs", title: "pending differs", "aria-label": "pending differs"}, "~");
}

/** Returns the nodes of a graph by id; an edge's end that is not among the nodes is added. */
export function nodesById(data) {
  const byId = new Map(data.nodes.map((node) => [node.id, node]));
  for (const edge of data.edges)
    for (const id of [edge.source, edge.dest])
      if (!byId.has(id)) byId.set(id, {id, kind: "unknown", namespace: null, name: id});
  return byId;
}
