// Terminal commands for the content of the page. No DOM access.

import {messageParts} from "./names.js";
import {visible, withoutInvisible} from "./text.js";

/**
 * Quotes a text as one shell word. Invisible characters are escaped, because a terminal could interpret them as the end
 * of the paste and the beginning of a command.
 */
export function shellWord(text) {
  if (visible(text) !== text) {
    const quoted = text.replaceAll(/[\\']/g, "\\$&");
    return `$'${withoutInvisible(quoted, (digits) => `\\U${digits.padStart(8, "0")}`)}'`;
  }
  return /^[\w./:*@%+-]+$/.test(text) && !text.startsWith("-") && !text.includes("*") ?
    text :
    `'${text.replaceAll("'", "'\\''")}'`;
}

/** Returns the `weir query` command for the sums by port of the records that a filter selects. */
export function queryCommand(state, filter) {
  const until = state.until ? ` --until ${state.until}` : "";
  return `weir query --since ${state.since}${until} --filter ${shellWord(filter)} --group-by dest_port,proto,action ` +
    "--sum connections,bytes,packets";
}

/** Returns the `weir policy preview` command with the same result as the page. */
export function previewCommand(state, hasChange, enforcesStaged) {
  const until = state.until ? ` --until ${state.until}` : "";
  const filter = state.filter ? ` --filter ${shellWord(state.filter)}` : "";
  return `weir policy preview --inventory PATH${hasChange ? " --change FILE" : ""}` +
    `${enforcesStaged ? " --enforce-staged" : ""} --since ${state.since}${until}${filter}`;
}

/**
 * Returns the `weir policy trace` command, which explains for each rule whether it matches a record's connections; null
 * if the record does not name both ends.
 */
export function traceCommand(record) {
  const [from, to] = ["source", "dest"].map((side) => traceEnd(record, side));
  if (!from || !to) return null;
  return `weir policy trace --inventory PATH --from ${shellWord(from)} --to ${shellWord(to)} --protocol ` +
    `${shellWord(record.proto)}${portOptions(record)}`;
}

function portOptions({dest_port: port, proto}) {
  if (port === null || port === undefined || proto === "icmp") return "";
  if (proto !== "icmp6") return ` --port ${port}`;
  const {type, code} = messageParts(port);
  return ` --icmp-type ${type} --icmp-code ${code}`;
}

function traceEnd(record, side) {
  const name = record[`${side}_name`];
  const isPod = record[`${side}_type`] === "wep" && name && name !== "-";
  return isPod ? `${record[`${side}_namespace`]}/${name}` : record[`${side}_ip`] ?? null;
}
