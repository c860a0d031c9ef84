// Amounts with each connection counted once, by the rule that the API's overview and graph apply to each port.

const COUNTS = ["connections", "bytes", "packets"];

/** Makes an amount of nothing. */
export const amount = () => ({connections: 0, bytes: 0, packets: 0});

/** The sums of a query whose rows are added to amounts. */
export const AMOUNT_SUMS = "connections,bytes,packets,transit_bytes,transit_packets";

/** Adds the sums of a row: the traffic of an end, or that which a host forwarded. */
export function addRow(to, [connections, bytes, packets, transitBytes, transitPackets], isForwarded) {
  plus(to, isForwarded ? {connections, bytes: transitBytes, packets: transitPackets} : {connections, bytes, packets});
}

/** Adds an amount. */
export function plus(to, other) {
  for (const name of COUNTS) to[name] += other[name];
}

const REPORTERS = ["src", "dst", "fwd"];

/**
 * Reduces the rows of a query by any groups, then reporter and action, to one for each of the former groups, with each
 * connection counted once. The sums of the query are `AMOUNT_SUMS`.
 */
export function countedRows(rows) {
  const groups = new Map();
  for (const row of rows) {
    const group = row.group.slice(0, -2);
    const key = JSON.stringify(group);
    const one = groups.get(key) ?? {group, reports: new Map(), last: 0};
    groups.set(key, one);
    addReport(one.reports, ...row.group.slice(-2), row.sums);
    one.last = Math.max(one.last, row.last_seen ?? 0);
  }
  return [...groups.values()].map(({group, reports, last}) => ({group, ...counted(reports), last}));
}

/** Adds the sums of a row to what its reporter allowed or denied; of joined reporters (`dst,fwd`) the end is the reporter. */
function addReport(reports, reporter, action, sums) {
  const names = (reporter ?? "").split(",").map((name) => name.trim());
  const name = REPORTERS.find((one) => names.includes(one)) ?? "src";
  if (!reports.has(name)) reports.set(name, {allowed: amount(), denied: amount()});
  addRow(reports.get(name)[action === "deny" ? "denied" : "allowed"], sums, name === "fwd");
}

/**
 * Counts each connection of the reports about a pair once.
 *
 * The end with more connections counts for the total, and what either end denied is denied; without a report of an end,
 * the host that forwards counts. Its denials always count, except those that the ends report, too: connections that it
 * denied before any end saw them are added to the total.
 */
function counted(reports) {
  const [source, dest, forward] = REPORTERS.map((name) => {
    const {allowed, denied} = reports.get(name) ?? {allowed: amount(), denied: amount()};
    return {all: each(sum, allowed, denied), denied};
  });
  const isEmpty = (one) => COUNTS.every((name) => one.all[name] === 0);
  const end = source.all.connections >= dest.all.connections && !isEmpty(source) ? source : dest;
  const total = isEmpty(end) ? forward.all : end.all;
  // The source sees all of its connections, the destination only those that arrive.
  const unseen = isEmpty(source) ? each(Math.min, forward.denied, each(without, forward.all, total)) : amount();
  const byEnds = each(sum, source.denied, dest.denied);
  const between = each(without, each(without, forward.denied, unseen), byEnds);
  const denied = each(sum, each(sum, byEnds, unseen), between);
  return {allowed: each(without, each(sum, total, unseen), denied), denied};
}

const sum = (a, b) => a + b;
const without = (a, b) => Math.max(0, a - b);

function each(combine, a, b) {
  return Object.fromEntries(COUNTS.map((name) => [name, combine(a[name], b[name])]));
}
