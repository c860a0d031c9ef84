// Selects the nodes of a graph to draw: above a limit, each namespace and all networks are folded into one node. No DOM
// access.

export const MOST_NODES = 150;
export const MOST_EDGES = 300;
const MOST_NETWORKS = 8;

const zero = () => ({connections: 0, bytes: 0, packets: 0});
const plus = (a, b) =>
  ({connections: a.connections + b.connections, bytes: a.bytes + b.bytes, packets: (a.packets ?? 0) + (b.packets ?? 0)}
  );

/**
 * Returns the graph to draw.
 * @param {{nodes: object[], edges: object[]}} graph of the API
 * @param {object} options `unfolded`: names of groups that are not folded; `near`: id of a node; only its
 * neighbours are shown; `hideNetworks`; `fold`: whether namespaces are folded even if there is room
 */
export function foldGraph(graph, {unfolded = new Set(), near = null, hideNetworks = false, fold = false}) {
  const isNetwork = (node) => node.kind === "network" || node.kind === "unknown";
  let nodes = hideNetworks ? graph.nodes.filter((node) => !isNetwork(node)) : graph.nodes;
  let edges = graph.edges;
  if (near) {
    const around = new Set([near]);
    for (const edge of edges) {
      if (edge.source === near) around.add(edge.dest);
      if (edge.dest === near) around.add(edge.source);
    }
    nodes = nodes.filter((node) => around.has(node.id));
    edges = edges.filter((edge) => edge.source === near || edge.dest === near);
  }
  const group = grouping(nodes, {unfolded, fold, isNetwork});
  return build(nodes, edges, group);
}

function grouping(nodes, {unfolded, fold, isNetwork}) {
  const networks = nodes.filter(isNetwork).length;
  const foldSpaces = fold || nodes.length > MOST_NODES;
  return (node) => {
    if (isNetwork(node)) return networks > MOST_NETWORKS && !unfolded.has("networks") ? "networks" : null;
    if (!foldSpaces || !node.namespace || node.kind === "namespace" || unfolded.has(node.namespace)) return null;
    return node.namespace;
  };
}

function build(nodes, edges, group) {
  const shown = new Map();
  const place = new Map();
  for (const node of nodes) {
    const name = group(node);
    const id = name === null ? node.id : `group:${name}`;
    place.set(node.id, id);
    const old = shown.get(id);
    if (name === null)
      shown.set(id, node);
    else if (!old)
      shown.set(id, groupNode(id, name, node));
    else {
      old.count += 1;
      for (const side of ["sent", "received"]) old[side] = plus(old[side], node[side]);
      old.denied = {connections: old.denied.connections + node.denied.connections};
    }
  }
  const merged = new Map();
  let hidden = 0;
  for (const edge of edges) {
    const [source, dest] = [place.get(edge.source), place.get(edge.dest)];
    if (source === undefined || dest === undefined) {
      hidden += 1;
      continue;
    }
    if (source === dest && source.startsWith("group:")) continue;
    const key = JSON.stringify([source, dest]);
    const old = merged.get(key);
    const isSame = source === edge.source && dest === edge.dest;
    if (!old)
      merged.set(key, isSame ? edge : {...edge, source, dest, isFolded: true});
    else
      merged.set(key, {...old, allowed: plus(old.allowed, edge.allowed), denied: plus(old.denied, edge.denied)});
  }
  const all = [...merged.values()];
  const weight = (edge) => edge.allowed.connections + edge.denied.connections;
  const isDenied = (edge) => Number(edge.denied.connections > 0);
  all.sort((a, b) => isDenied(b) - isDenied(a) || weight(b) - weight(a));
  const cut = Math.max(0, all.length - MOST_EDGES);
  return {nodes: [...shown.values()], edges: all.slice(0, MOST_EDGES), hidden, cut};
}

function groupNode(id, name, node) {
  const isNetworks = name === "networks";
  return {
    id,
    kind: "group",
    group: name,
    namespace: isNetworks ? null : name,
    name,
    count: 1,
    sent: plus(zero(), node.sent),
    received: plus(zero(), node.received),
    denied: {connections: node.denied.connections},
  };
}
