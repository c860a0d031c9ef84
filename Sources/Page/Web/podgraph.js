// The graph of pods, made of a query's sums: records contain pod names at some levels of aggregation.

import {addRow, amount, AMOUNT_SUMS, countedRows, plus} from "./counted.js";

/** The groups of the query for the graph. */
export const POD_GROUPS = "source,source_name,dest,dest_name,reporter,action";
/** The sums of that query. */
export const POD_SUMS = AMOUNT_SUMS;

const made = new WeakMap();

/**
 * Converts the response to a query by `POD_GROUPS` to a graph in the API's form. Each connection counts once. The
 * same response gives the same graph object.
 */
export function podGraph(answer) {
  if (!made.has(answer)) made.set(answer, build(answer));
  return made.get(answer);
}

function build(answer) {
  const nodes = new Map();
  const edges = countedRows(answer.rows).map((row) => edgeOf(row, nodes));
  const weight = (edge) => edge.allowed.connections + edge.denied.connections;
  const isDenied = (edge) => Number(edge.denied.connections > 0);
  edges.sort((a, b) => isDenied(b) - isDenied(a) || weight(b) - weight(a));
  return finish(answer, [...nodes.values()], edges);
}

function edgeOf({group: [source, sourceName, dest, destName], allowed, denied, last}, nodes) {
  const [from, to] = [nodeOf(endOf(source, sourceName), nodes), nodeOf(endOf(dest, destName), nodes)];
  plus(from.sent, allowed);
  plus(to.received, allowed);
  plus(from.denied, denied);
  if (from !== to) plus(to.denied, denied);
  return {source: from.id, dest: to.id, allowed, denied, pending: {differs: 0}, ports: [], last_seen: last};
}

/** The node of an end, which is made when it is met first. */
function nodeOf(end, nodes) {
  const node = nodes.get(end.id) ?? {...end, sent: amount(), received: amount(), denied: amount()};
  nodes.set(end.id, node);
  return node;
}

function finish(answer, nodes, edges) {
  const total = {allowed: amount(), denied: amount()};
  for (const edge of edges) {
    plus(total.allowed, edge.allowed);
    plus(total.denied, edge.denied);
  }
  const other = {edges: answer.other.groups, allowed: amount(), denied: amount()};
  if (answer.other.groups > 0) addRow(other.allowed, answer.other.sums);
  plus(total.allowed, other.allowed);
  return {range: answer.range, nodes, edges, other, total, hasPods: nodes.some((node) => node.kind === "pod")};
}

/** Makes an end of the text `namespace/aggregated name`, and of the pod's name if it is known. */
export function endOf(text, pod = null) {
  const at = text.indexOf("/");
  const [space, shared] = [text.slice(0, at), text.slice(at + 1)];
  const namespace = space === "-" ? null : space;
  const isNetwork = namespace === null && (shared === "pub" || shared === "pvt" || shared === "-");
  const isPod = namespace !== null && pod !== null && pod !== undefined && pod !== "-";
  const kind = isPod ? "pod" : isNetwork ? "network" : namespace === null ? "host" : "workload";
  const name = isPod ? pod : shared;
  return {id: `${kind}:${space}/${name}`, kind, namespace, name};
}
