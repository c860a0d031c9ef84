// The two ends of a record, in the form of a pair's ends in the API.

import {encodeEnd} from "./ends.js";

/** Returns the ends of a record, with full names if it has them. */
export function recordEnds(row) {
  return {source: end(row, "source"), dest: end(row, "dest")};
}

function end(row, side) {
  const type = row[`${side}_type`];
  const address = row[`${side}_ip`];
  const name = row[`${side}_name`];
  const shared = row[`${side}_name_aggr`];
  const namespace = row[`${side}_namespace`];
  const best = type === "net" ? address ?? shared : name && name !== "-" ? name : shared;
  return {type, namespace: namespace === "-" ? null : namespace, name: best};
}

/** Returns the part of the address that selects the record's pair of workloads. */
export function recordAddress(row) {
  const named = (side) =>
    encodeEnd({...end(row, side), name: row[`${side}_type`] === "net" ? end(row, side).name : row[`${side}_name_aggr`]}
    );
  return {from: named("source"), to: named("dest")};
}
