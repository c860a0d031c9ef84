// The graph of pods, made of a query's sums: records contain pod names at some levels of aggregation.

/** The groups of the query for the graph. */
export const POD_GROUPS = "source,source_name,dest,dest_name,reporter,action";
/** The sums of that query. */
export const POD_SUMS = "connections,bytes,packets";

const made = new WeakMap();

/**
 * Converts the response to a query by `POD_GROUPS` to a graph in the API's form. Each connection counts once, by the
 * reporter with more connections; denials of both count. The same response gives the same graph object.
 */
export function podGraph(answer) {
  if (!made.has(answer)) made.set(answer, build(answer));
  return made.get(answer);
}

function build(answer) {
  const nodes = new Map();
  const pairs = new Map();
  for (const row of answer.rows) {
    const [source, sourceName, dest, destName, reporter, action] = row.group;
    const ends = [endOf(source, sourceName), endOf(dest, destName)];
    for (const end of ends)
      if (!nodes.has(end.id)) nodes.set(end.id, {...end, sent: amount(), received: amount(), denied: amount()});
    const key = JSON.stringify([ends[0].id, ends[1].id]);
    const pair = pairs.get(key) ?? {source: ends[0].id, dest: ends[1].id, sides: new Map(), last_seen: 0};
    pairs.set(key, pair);
    const side = pair.sides.get(reporter) ?? {allow: amount(), deny: amount()};
    pair.sides.set(reporter, side);
    if (action === "deny")
      add(side.deny, row.sums);
    else
      add(side.allow, row.sums);
    pair.last_seen = Math.max(pair.last_seen, row.last_seen ?? 0);
  }
  const edges = [...pairs.values()].map((pair) => edgeOf(pair, nodes));
  const weight = (edge) => edge.allowed.connections + edge.denied.connections;
  const isDenied = (edge) => Number(edge.denied.connections > 0);
  edges.sort((a, b) => isDenied(b) - isDenied(a) || weight(b) - weight(a));
  return finish(answer, [...nodes.values()], edges);
}

const amount = () => ({connections: 0, bytes: 0, packets: 0});

function add(to, [connections, bytes, packets]) {
  to.connections += connections;
  to.bytes += bytes;
  to.packets += packets;
}

function plus(to, other) {
  add(to, [other.connections, other.bytes, other.packets]);
}

function edgeOf({source, dest, sides, last_seen}, nodes) {
  const list = [...sides.values()];
  const total = (side) => side.allow.connections + side.deny.connections;
  const widest = list.reduce((a, b) => (total(b) > total(a) ? b : a));
  const denied = list.map((side) => side.deny).reduce((a, b) => (b.connections > a.connections ? b : a));
  const allowed = amount();
  for (const name of ["connections", "bytes", "packets"])
    allowed[name] = Math.max(0, widest.allow[name] + widest.deny[name] - denied[name]);
  const [from, to] = [nodes.get(source), nodes.get(dest)];
  plus(from.sent, allowed);
  plus(to.received, allowed);
  plus(from.denied, denied);
  if (from !== to) plus(to.denied, denied);
  return {source, dest, allowed, denied, pending: {differs: 0}, ports: [], last_seen};
}

function finish(answer, nodes, edges) {
  const total = {allowed: amount(), denied: amount()};
  for (const edge of edges) {
    plus(total.allowed, edge.allowed);
    plus(total.denied, edge.denied);
  }
  const other = {edges: answer.other.groups, allowed: amount(), denied: amount()};
  if (answer.other.groups > 0) add(other.allowed, answer.other.sums);
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
