// Events from recorded connections: without a timeline in the API, verdict changes are found in the sums of pairs.
// No DOM access.

import {both, term} from "./filter.js";
import {portText} from "./names.js";

/** The groups of the query for verdict changes. */
export const CHANGE_GROUPS = "source,dest,dest_port,proto,action";

/**
 * Finds verdict changes in the response to a query by `CHANGE_GROUPS`, newest first: pairs whose verdict changed, and
 * pairs whose first connection within the range was denied.
 * @param {number} slack minimum difference of two start times, in seconds, for one to be after the other
 */
export function verdictChanges(answer, slack = 20) {
  const pairs = new Map();
  for (const row of answer.rows) {
    const [source, dest, port, proto, action] = row.group;
    const key = JSON.stringify([source, dest, port, proto]);
    const pair = pairs.get(key) ?? {source, dest, port, proto};
    pairs.set(key, {...pair, [action]: row});
  }
  const events = [];
  for (const pair of pairs.values()) {
    const change = changeOf(pair, answer.range, slack);
    if (change)
      events.push({
        ...change,
        kind: "verdict",
        filter: filterOf(pair),
        subject: {source: pair.source, dest: pair.dest, port: portText(pair.port, pair.proto)}
      });
  }
  return events.sort((a, b) => b.time - a.time || b.connections - a.connections);
}

function changeOf({allow, deny}, range, slack) {
  if (!deny) return null;
  const connections = deny.sums[0];
  if (!allow)
    return deny.first_seen > range.since + slack ? {time: deny.first_seen, change: "denied", connections} : null;
  if (deny.first_seen > allow.first_seen + slack) return {time: deny.first_seen, change: "allow → DENY", connections};
  if (allow.first_seen > deny.last_seen)
    return {time: allow.first_seen, change: "DENY → allow", connections: allow.sums[0]};
  return null;
}

function filterOf({source, dest, port}) {
  const ends = [["source", source], ["dest", dest]].flatMap(([side, text]) => {
    const at = String(text).indexOf("/");
    return [term(`${side}_namespace`, text.slice(0, at)), term(`${side}_name_aggr`, text.slice(at + 1))];
  });
  const parts = port === null ? ends : [...ends, term("dest_port", Number(port))];
  return parts.reduce(both, "");
}

/** Returns the timeline events for findings, and for gaps in a range. */
export function otherEvents(findings, range) {
  const events = findings.filter(
                           (one) => one.kind !== "gap" && one.first_seen
  ).map((one) => ({
          time: one.first_seen,
          until: one.last_seen,
          kind: one.kind === "loss" || one.kind === "account" ? "loss" : "finding",
          change: one.severity,
          title: one.title,
          detail: one.detail,
          filter: one.filter,
          connections: one.count,
        }));
  const gaps = (range.gaps ?? []).map((gap) => ({
                                        time: gap.from,
                                        until: gap.until,
                                        kind: "loss",
                                        change: "no data",
                                        title: "No records were written",
                                        detail: "",
                                        filter: null,
                                        connections: 0
                                      }));
  return [...events, ...gaps];
}
