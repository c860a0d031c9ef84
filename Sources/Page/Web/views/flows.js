// Flow visualizer: the ring of namespaces and endpoints; clicks narrow it from namespace to workload, pod and pair.

import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {decodeEnd, eitherFilter, encodeEnd, pairFilter, portOf} from "../ends.js";
import {both} from "../filter.js";
import {endText} from "../names.js";
import {pairNeeds, pairPanel} from "../pair.js";
import {pairList} from "../pairlist.js";
import {card, choice, content, endName, link} from "../parts.js";
import {POD_GROUPS, POD_SUMS, podGraph} from "../podgraph.js";
import {ringDrawing} from "../ringdrawing.js";
import {rangeParams} from "../state.js";

import {measureChoice} from "./overview.js";

export const title = "Flow visualizer";
export const short = "Flows";

const LEVELS = ["namespace", "workload", "pod"];

/** Returns the grouping of the ends: the selected one, or the one for the focus. */
export function level(state) {
  if (state.by) return state.by === "service" ? "workload" : state.by;
  const focus = decodeEnd(state.focus);
  if (!focus) return "namespace";
  return focus.kind === "workload" || focus.kind === "pod" ? "pod" : "workload";
}

/** Returns the selected pair: `{from, to, filter}`; null for none. */
function chosenPair(state) {
  const [from, to] = [decodeEnd(state.from), decodeEnd(state.to)];
  return from && to ? {from, to, filter: pairFilter(from, to, state.port)} : null;
}

function focusFilter(state) {
  const focus = decodeEnd(state.focus);
  return focus ? eitherFilter(focus) ?? "" : "";
}

/** The requests of the page. */
export function needs(ctx) {
  const {state} = ctx;
  const range = rangeParams({...state, filter: both(state.filter, focusFilter(state))});
  const graph = level(state) === "pod" ?
    {name: "flows", path: "query", params: {...range, group_by: POD_GROUPS, sum: POD_SUMS, limit: 4000}} :
    {name: "flows", path: "graph", params: {...range, by: level(state), limit: 2000}};
  const pair = chosenPair(state);
  return [graph, ...(pair?.filter ? pairNeeds(state, both(state.filter, pair.filter)) : [])];
}

/** Returns a response as a graph. */
function graphOf(data) {
  return data.rows ? podGraph(data) : data;
}

/** Esc: from the pair to the ring, from the focus to all. */
export function back(ctx) {
  const {state} = ctx;
  if (state.from)
    ctx.set({from: "", to: "", port: ""});
  else if (state.focus)
    ctx.set({focus: "", by: ""});
  else
    return false;
  return true;
}

/** `g`: the next level. */
export function nextGroup(ctx) {
  ctx.set({by: LEVELS[(LEVELS.indexOf(level(ctx.state)) + 1) % LEVELS.length]});
}

/** The page. */
export function view(ctx) {
  const entry = ctx.store.entry("flows");
  const pair = chosenPair(ctx.state);
  return h(
    "div",
    {class: `flows ${pair ? "with-pair" : ""}`},
    trail(ctx, pair),
    h("div", {class: "flows-columns"},
      card(
        "Who exchanges with whom",
        {key: "ring", entry, class: "ring-card", actions: [levelChoice(ctx), measureChoice(ctx)]},
        content(ctx, entry, (data) => ring(ctx, graphOf(data), pair), 10)
      ),
      h("div", {key: "side", class: "flows-side"},
        pair ?
          pairPanel(ctx, pair, narrow(ctx, pair)) :
          card("Pairs", {entry, note: "denied first"}, content(ctx, entry, (data) => pairs(ctx, graphOf(data)), 10)))),
  );
}

function pairs(ctx, data) {
  const note = "The records do not name pods: at level 2, the default for allowed flows, pods of a workload are one.";
  return [
    data.hasPods === false && h("p", {class: "note"}, note),
    pairList(ctx, data, (edge) => choosePair(ctx, data, edge)),
  ];
}

function levelChoice(ctx) {
  return choice(
    "Group by", LEVELS.map((one) => [one, `${one[0].toUpperCase()}${one.slice(1)}s`]), level(ctx.state),
    (by) => ctx.set({by, from: "", to: "", port: ""})
  );
}

function trail(ctx, pair) {
  const {state} = ctx;
  const focus = decodeEnd(state.focus);
  const items = [link(
    ctx, {...state, focus: "", from: "", to: "", port: "", by: ""},
    {"aria-current": !focus && !pair ? "page" : undefined}, "All namespaces"
  )];
  const namespace = focus && focus.kind !== "namespace" && focus.namespace ?
    {kind: "namespace", namespace: focus.namespace, name: focus.namespace} :
    null;
  if (namespace)
    items.push(
      link(ctx, {...state, focus: encodeEnd(namespace), from: "", to: "", port: "", by: ""}, null, endName(namespace))
    );
  if (focus)
    items.push(link(
      ctx, {...state, from: "", to: "", port: "", by: ""}, {"aria-current": !pair ? "page" : undefined}, endName(focus)
    ));
  if (pair)
    items.push(
      h("span", {"aria-current": "page"}, endText(pair.from), " → ", endText(pair.to),
        state.port && ` ${portOf(state.port)}`)
    );
  return h(
    "nav", {class: "trail", "aria-label": "Where"},
    h("ol", null, items.map((item, index) => h("li", {key: index}, item)))
  );
}

function ring(ctx, data, pair) {
  if (data.edges.length === 0) return emptyState(ctx, data.range);
  const chosen = pair ? {source: ctx.state.from, dest: ctx.state.to} : null;
  return ringDrawing(ctx, data, {
    chosen,
    onEnd: (node) => focusOn(ctx, node),
    onEdge: (edge) => choosePair(ctx, data, edge),
  });
}

/** Moves the focus to an end; a second click on it changes from workload to pods. */
function focusOn(ctx, node) {
  const focus = encodeEnd(node);
  const by = focus === ctx.state.focus ? LEVELS[Math.min(2, LEVELS.indexOf(level(ctx.state)) + 1)] : "";
  ctx.set({focus, by, from: "", to: "", port: ""});
}

function choosePair(ctx, data, edge) {
  const byId = new Map(data.nodes.map((node) => [node.id, node]));
  const [source, dest] = [byId.get(edge.source), byId.get(edge.dest)];
  if (!source || !dest) return;
  ctx.set({from: encodeEnd(source), to: encodeEnd(dest), port: "", by: level(ctx.state)});
}

/**
 * Returns the level of the pairs within a pair: workloads for namespaces, pods for workloads; null if there is none.
 */
function narrow(ctx, pair) {
  const order = ["namespace", "workload", "pod"];
  const deepest =
    Math.min(...[pair.from, pair.to].map((end) => (order.includes(end.kind) ? order.indexOf(end.kind) : 2)));
  return order[deepest + 1] ?? null;
}
