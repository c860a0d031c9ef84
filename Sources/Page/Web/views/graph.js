// Service graph: clients and servers as nodes, and edges between them; nodes keep their places.

import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {decodeEnd, encodeEnd} from "../ends.js";
import {graphDrawing} from "../graphdrawing.js";
import {foldGraph, MOST_EDGES, MOST_NODES} from "../graphfold.js";
import {Places} from "../graphlayout.js";
import {pairList} from "../pairlist.js";
import {bar, button, card, choice, content, endName, link, number} from "../parts.js";
import {rangeParams, toView} from "../state.js";
import {table} from "../table.js";

export const title = "Service graph";
export const short = "Graph";

const LEVELS = ["namespace", "workload", "service"];

function level(state) {
  return LEVELS.includes(state.by) ? state.by : "workload";
}

/** The requests of the page. */
export function needs(ctx) {
  return [{name: "graph", path: "graph", params: {...rangeParams(ctx.state), by: level(ctx.state), limit: 2000}}];
}

/** Esc: deselects the node. */
export function back(ctx) {
  if (!ctx.state.focus) return false;
  ctx.set({focus: "", show: ctx.state.show.replace(/(^|,)near(?=,|$)/, "")});
  return true;
}

/** `g`: the next grouping. */
export function nextGroup(ctx) {
  ctx.set({by: LEVELS[(LEVELS.indexOf(level(ctx.state)) + 1) % LEVELS.length], focus: "", show: ""});
}

/** `L`: lays out all nodes again. */
export function layOut(ctx) {
  ctx.kept.places?.forget();
  ctx.kept.graphData = null;
  ctx.setUI({pan: null});
}

/** The page. */
export function view(ctx) {
  const entry = ctx.store.entry("graph");
  return h(
    "div", {class: "graph-page"},
    card(
      "Who calls whom", {entry, class: "graph-card", actions: tools(ctx)},
      content(ctx, entry, (data) => graph(ctx, data), 12)
    )
  );
}

function tools(ctx) {
  return [
    h("input", {
      key: "find",
      class: "input find",
      type: "search",
      placeholder: "Find a name",
      "aria-label": "Find a name",
      value: ctx.state.q,
      on: {input: (event) => ctx.set({q: event.target.value}, true)}
    }),
    choice(
      "Group by", LEVELS.map((one) => [one, `${one[0].toUpperCase()}${one.slice(1)}s`]), level(ctx.state),
      (by) => ctx.set({by, focus: "", show: ""})
    ),
    choice("Networks", [["", "Networks"], ["net", "Without"]], ctx.state.hide, (hide) => ctx.set({hide}, true)),
  ];
}

function shown(ctx, data) {
  const parts = new Set(ctx.state.show.split(",").filter(Boolean).map(decodeURIComponent));
  const focus = focusNode(ctx, data);
  const folded = foldGraph(data, {
    unfolded: parts,
    near: parts.has("near") && focus ? focus.id : null,
    hideNetworks: ctx.state.hide === "net",
    fold: false
  });
  return {...folded, focus, parts};
}

function focusNode(ctx, data) {
  const wanted = decodeEnd(ctx.state.focus);
  return wanted ? data.nodes.find((node) => encodeEnd(node) === ctx.state.focus) ?? null : null;
}

function graph(ctx, data) {
  if (data.edges.length === 0) return emptyState(ctx, data.range);
  const drawn = shown(ctx, data);
  const places = (ctx.kept.places ??= new Places());
  const grouping =
    JSON.stringify([level(ctx.state), ctx.state.show, ctx.state.hide, drawn.parts.has("near") ? ctx.state.focus : ""]);
  if (ctx.kept.graphData !== data || places.grouping !== grouping) {
    if (places.grouping !== grouping) ctx.ui.pan = null;
    ctx.kept.graphData = data;
    places.update(drawn.nodes.map((node) => node.id), drawn.edges, grouping, keyOf(drawn.nodes));
  }
  return [
    h("p", {class: "note"}, notes(ctx, data, drawn)),
    h("div", {class: `graph-columns ${drawn.focus ? "with-side" : ""}`}, graphDrawing(ctx, drawn, places, {
        onNode: (node) =>
          (node.kind === "group" ? unfold(ctx, drawn.parts, node.group) :
                                   ctx.set({focus: encodeEnd(node) === ctx.state.focus ? "" : encodeEnd(node)})),
        onEdge: (edge) => openEdge(ctx, data, edge),
      }),
      drawn.focus && side(ctx, data, drawn)),
    h("details", {class: "as-table"}, h("summary", null, "The same as a table"),
      pairList(ctx, data, (edge) => openEdge(ctx, data, edge))),
  ];
}

function keyOf(nodes) {
  const keys = new Map(nodes.map((node) => [node.id, `${node.namespace ?? "~"}\u0000${node.name}`]));
  return (id) => keys.get(id) ?? id;
}

function notes(ctx, data, drawn) {
  const groups = drawn.nodes.filter((node) => node.kind === "group").length;
  const open = [...drawn.parts].filter((part) => part !== "near");
  return [
    `${drawn.nodes.length} nodes, ${drawn.edges.length} edges. `,
    data.nodes.length > MOST_NODES && groups > 0 &&
      `${data.nodes.length} nodes are more than can be read: namespaces are folded. Click one to unfold it. `,
    open.length > 0 &&
      h("button", {type: "button", class: "quiet", on: {click: () => ctx.set({show: ""})}}, "Fold all"),
    drawn.cut > 0 &&
      `Drawn are the ${MOST_EDGES} edges with denials and with most traffic; the table has ${drawn.cut} more. `,
    data.other.edges > 0 && ` ${data.other.edges} edges with least traffic are left out.`,
  ];
}

function unfold(ctx, parts, name) {
  ctx.set({show: [...parts, name].map(encodeURIComponent).join(",")});
}

function openEdge(ctx, data, edge) {
  const [source, dest] = [edge.source, edge.dest].map((id) => data.nodes.find((node) => node.id === id));
  if (!source || !dest) return;
  ctx.go(toView(
    ctx.state, "flows",
    {by: level(ctx.state) === "namespace" ? "namespace" : "workload", from: encodeEnd(source), to: encodeEnd(dest)}
  ));
}

function side(ctx, data, drawn) {
  const {focus} = drawn;
  const isNear = drawn.parts.has("near");
  const withoutNear = [...drawn.parts].filter((part) => part !== "near").map(encodeURIComponent);
  return h(
    "aside",
    {class: "graph-side", "aria-label": "The chosen node"},
    h("h3", null, endName(focus, 40)),
    h("p", {class: "detail-links"}, button(isNear ? "Show all" : "Only neighbours", () => ctx.set({
        show: (isNear ? withoutNear : [...withoutNear, "near"]).join(",")
      })),
      link(ctx, toView(ctx.state, "flows", {focus: encodeEnd(focus)}), {class: "button"}, "Visualizer"),
      button("Close", () => ctx.set({focus: "", show: withoutNear.join(",")}))),
    neighbours(ctx, data, focus, "dest", "Calls"),
    neighbours(ctx, data, focus, "source", "Called by"),
  );
}

function neighbours(ctx, data, focus, other, heading) {
  const here = other === "dest" ? "source" : "dest";
  const rows = data.edges.filter((edge) => edge[here] === focus.id && edge[other] !== focus.id);
  if (rows.length === 0) return null;
  const byId = new Map(data.nodes.map((node) => [node.id, node]));
  const most = Math.max(1, ...rows.map((edge) => edge.allowed.connections + edge.denied.connections));
  return [
    h("h4", {key: heading}, heading),
    table({
      caption: heading,
      rows,
      key: (edge) => edge[other],
      open: (edge) => openEdge(ctx, data, edge),
      className: "neighbour-table",
      columns: [
        {
          id: "name",
          label: "Name",
          cell: (edge) =>
            [byId.has(edge[other]) ? endName(byId.get(edge[other]), 30) : edge[other],
             bar(edge.allowed.connections, edge.denied.connections, most)]
        },
        {
          id: "denied",
          label: "Denied",
          isNumber: true,
          cell: (edge) =>
            (edge.denied.connections > 0 ? h("span", {class: "deny-number"}, number(edge.denied.connections)) : "0")
        },
        {id: "allowed", label: "Allowed", isNumber: true, cell: (edge) => number(edge.allowed.connections)},
      ],
    }),
  ];
}
