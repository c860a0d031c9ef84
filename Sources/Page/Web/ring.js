// Geometry of the ring: arcs for ends, ribbons for the traffic between them. No DOM access.
//
// Widths are proportional to the square roots of amounts, and arcs have a minimum angle, so that small ends stay
// visible beside one with 95 % of the traffic. Denied traffic has separate ribbons, which are drawn last, on top.

const TURN = 2 * Math.PI;

export const LIMITS = {
  arcs: 24,
  ribbons: 200,
  smallestArc: (1.5 * Math.PI) / 180
};

const amountOf = (side, measure) => side?.[measure] ?? 0;
const OTHER = "(other)";

/**
 * Returns the arcs and ribbons of a graph from the API.
 * @param {{nodes: object[], edges: object[]}} graph
 * @param {object} options `measure`; `maxArcs`, `maxRibbons`: the others are folded into “other”; `showSelf`: whether
 * allowed traffic within an end is shown, too (denied traffic always is); `order(node)`: the text that sorts arcs
 */
export function ringLayout(
  graph, {measure, maxArcs = LIMITS.arcs, maxRibbons = LIMITS.ribbons, showSelf = false, order = (node) => node.id}
) {
  const none = zero();
  const edges = graph.edges.filter(
                             (edge) => showSelf || edge.source !== edge.dest || edge.denied.connections > 0
  ).map((edge) => (showSelf || edge.source !== edge.dest ? edge : {...edge, allowed: none, whole: edge}));
  const folded = fold(graph.nodes, edges, measure, maxArcs, order);
  const ends = attachEnds(folded, measure, maxRibbons);
  const arcs = placeArcs(folded.nodes, ends);
  const ribbons = placeRibbons(arcs, ends.strands);
  return {arcs, ribbons, groups: groupArcs(arcs), hiddenNodes: folded.hidden, hiddenRibbons: ends.hidden};
}

function fold(nodes, edges, measure, most, order) {
  const weight = new Map();
  const denials = new Map();
  for (const edge of edges) {
    for (const id of [edge.source, edge.dest]) {
      weight.set(
        id,
        (weight.get(id) ?? 0) + Math.sqrt(amountOf(edge.allowed, measure)) + Math.sqrt(amountOf(edge.denied, measure))
      );
      denials.set(id, (denials.get(id) ?? 0) + edge.denied.connections);
    }
  }
  const used = nodes.filter((node) => weight.has(node.id));
  const kept = new Set(used.length <= most ? used.map((node) => node.id) : largest(used, weight, denials, most - 1));
  const hidden = used.length - kept.size;
  const list = used.filter((node) => kept.has(node.id)).map((node) => ({node, key: order(node)}));
  list.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.node.id < b.node.id ? -1 : 1));
  const shown = list.map((one) => one.node);
  if (hidden > 0) shown.push({id: OTHER, kind: "other", namespace: null, name: `other (${hidden})`, isOther: true});
  return {nodes: shown, edges: hidden > 0 ? merge(edges, kept) : edges, hidden};
}

/** Selects the ends to show: up to half of them by the number of denials, the others by traffic. */
function largest(nodes, weight, denials, most) {
  const by = (map
  ) => [...nodes]
         .sort((a, b) => map.get(b.id) - map.get(a.id) || weight.get(b.id) - weight.get(a.id) || (a.id < b.id ? -1 : 1))
         .map((node) => node.id);
  const kept = by(denials).filter((id) => denials.get(id) > 0).slice(0, Math.floor(most / 2));
  for (const id of by(weight))
    if (kept.length < most && !kept.includes(id)) kept.push(id);
  return kept;
}

function merge(edges, kept) {
  const merged = new Map();
  for (const edge of edges) {
    const source = kept.has(edge.source) ? edge.source : OTHER;
    const dest = kept.has(edge.dest) ? edge.dest : OTHER;
    if (source === OTHER && dest === OTHER && edge.denied.connections === 0) continue;
    const key = JSON.stringify([source, dest]);
    if (source === edge.source && dest === edge.dest)
      merged.set(key, edge);
    else {
      const sum = merged.get(key) ?? {source, dest, allowed: zero(), denied: zero(), isFolded: true};
      merged.set(key, {...sum, allowed: plus(sum.allowed, edge.allowed), denied: plus(sum.denied, edge.denied)});
    }
  }
  return [...merged.values()];
}

const zero = () => ({connections: 0, bytes: 0, packets: 0});
const plus = (a, b) =>
  ({connections: a.connections + b.connections, bytes: a.bytes + b.bytes, packets: a.packets + b.packets});

/** Makes one strand for each edge and verdict; keeps the largest ones, denied ones first. */
function attachEnds({nodes, edges}, measure, most) {
  const strands = [];
  for (const edge of edges) {
    const [allowed, denied] = [amountOf(edge.allowed, measure), amountOf(edge.denied, measure)];
    if (edge.denied.connections > 0 || denied > 0)
      strands.push({edge, action: "deny", size: Math.sqrt(Math.max(denied, 1))});
    if (edge.allowed.connections > 0 || allowed > 0)
      strands.push({edge, action: "allow", size: Math.sqrt(Math.max(allowed, 1))});
  }
  const rank = (strand) => (strand.action === "deny" ? 1 : 0);
  strands.sort((a, b) => rank(b) - rank(a) || b.size - a.size);
  const kept = strands.slice(0, most);
  const byNode = new Map(nodes.map((node) => [node.id, []]));
  for (const strand of kept) {
    byNode.get(strand.edge.source)?.push({strand, other: strand.edge.dest, isSource: true});
    byNode.get(strand.edge.dest)?.push({strand, other: strand.edge.source, isSource: false});
  }
  return {strands: kept, byNode, hidden: strands.length - kept.length};
}

function placeArcs(nodes, {byNode}) {
  const count = nodes.length;
  if (count === 0) return [];
  const gap = count === 1 ? 0 : Math.min((2.4 * Math.PI) / 180, (TURN * 0.25) / count);
  const room = TURN - gap * count;
  const sums = nodes.map((node) => byNode.get(node.id).reduce((sum, end) => sum + end.strand.size, 0));
  const angles = share(sums, room, Math.min(LIMITS.smallestArc, (room / count) * 0.6));
  let at = -Math.PI / 2 + gap / 2;
  return nodes.map((node, index) => {
    const arc =
      {node, id: node.id, index, start: at, end: at + angles[index], sum: sums[index], ends: byNode.get(node.id)};
    arc.denied = arc.ends.filter((end) => end.strand.action === "deny").reduce((sum, end) => sum + end.strand.size, 0) /
      (arc.sum || 1);
    at = arc.end + gap;
    return arc;
  });
}

/** Divides a space in proportion to values; no share is below a minimum. */
export function share(values, room, smallest) {
  const fixed = new Set();
  for (;;) {
    const left = room - fixed.size * smallest;
    const sum = values.reduce((total, value, index) => (fixed.has(index) ? total : total + value), 0);
    const low = values.findIndex((value, index) => !fixed.has(index) && (sum <= 0 || (value / sum) * left < smallest));
    if (low < 0) return values.map((value, index) => (fixed.has(index) ? smallest : (value / sum) * left));
    // Fixes all values that are too small at this share; that only makes the other shares smaller.
    values.forEach((value, index) => {
      if (!fixed.has(index) && (sum <= 0 || (value / sum) * left < smallest)) fixed.add(index);
    });
    if (fixed.size === values.length) return values.map(() => room / values.length);
  }
}

/**
 * Places each strand on both arcs, in the order of the other ends around the ring, so that few ribbons cross.
 */
function placeRibbons(arcs, strands) {
  const byId = new Map(arcs.map((arc) => [arc.id, arc]));
  const places = new Map(strands.map((strand) => [strand, {}]));
  const count = arcs.length;
  for (const arc of arcs) {
    const distance = (end) => (arc.index - (byId.get(end.other)?.index ?? 0) + count) % count;
    const sorted = [...arc.ends].sort(
      (a, b) => distance(a) - distance(b) ||
        (a.isSource === b.isSource ? 0 :
           a.isSource              ? -1 :
                                     1)
    );
    const scale = (arc.end - arc.start) / (arc.sum || 1);
    let at = arc.start;
    for (const end of sorted) {
      const to = at + end.strand.size * scale;
      places.get(end.strand)[end.isSource ? "source" : "dest"] = [at, to];
      at = to;
    }
  }
  const ribbons = strands.map(
    (strand) =>
      ({edge: strand.edge.whole ?? strand.edge, action: strand.action, size: strand.size, ...places.get(strand)})
  );
  // Largest first, denied last: ribbons that are drawn later are on top.
  return ribbons.filter((one) => one.source && one.dest)
    .sort(
      (a, b) =>
        (a.action === b.action ? b.size - a.size :
           a.action === "deny" ? 1 :
                                 -1)
    );
}

function groupArcs(arcs) {
  const groups = [];
  for (const arc of arcs) {
    const name = arc.node.namespace ?? null;
    const last = groups.at(-1);
    if (last && last.name === name && name !== null)
      last.end = arc.end;
    else
      groups.push({name, start: arc.start, end: arc.end});
  }
  return groups.filter((group) => group.name !== null);
}

const point = (angle, radius) => `${(Math.cos(angle) * radius).toFixed(2)},${(Math.sin(angle) * radius).toFixed(2)}`;

/** Returns the path of a ribbon in a ring with a radius. */
export function ribbonPath({source, dest}, radius) {
  const arc = ([from, to]) => `A${radius},${radius} 0 ${to - from > Math.PI ? 1 : 0},1 ${point(to, radius)}`;
  return `M${point(source[0], radius)}${arc(source)}Q0,0 ${point(dest[0], radius)}${arc(dest)}Q0,0 ${
    point(source[0], radius)}Z`;
}

/** Returns the path of a band between two angles and two radii. */
export function bandPath(start, end, inner, outer) {
  const stop = end - start >= TURN - 1e-6 ? end - 1e-4 : end;
  const large = stop - start > Math.PI ? 1 : 0;
  return `M${point(start, outer)}A${outer},${outer} 0 ${large},1 ${point(stop, outer)}L${point(stop, inner)}A${inner},${
    inner} 0 ${large},0 ${point(start, inner)}Z`;
}
