// Changes and their authors: events of the API server's audit log, and the verdicts that they changed. No DOM access.

import {hitText} from "./names.js";

/** The maximum time between a change and a verdict that it caused, seconds. */
const LATEST = 120;
/** The maximum number of connections that are listed below a change. */
const MOST = 8;

/** Converts the events of a `timeline` response; empty without a response. */
export function auditEvents(answer) {
  return (answer?.events ?? []).map((one) => ({
                                      ...one,
                                      kind: one.kind === "policy" ? "policy" : "object",
                                      verdicts: one.verdicts_changed ?? [],
                                    }));
}

/** Adds `cause` to verdict events that a change certainly or probably caused. */
export function withCauses(verdicts, audits) {
  return verdicts.map((event) => {
    const cause = causeOf(event, audits);
    return cause ? {...event, cause} : event;
  });
}

function causeOf(event, audits) {
  for (const audit of audits) {
    if (audit.time > event.time || event.time - audit.time > LATEST) continue;
    const pair = audit.verdicts.find(
      (one) => one.source === event.subject.source && one.dest === event.subject.dest && one.port === event.subject.port
    );
    if (pair) return `${pair.is_likely ? "likely " : ""}because ${audit.user} ${audit.change} ${audit.title}`;
  }
  return null;
}

/** Returns the effect of an event on connections, one text for each pair. */
export function changeLines(event) {
  const verdicts = event.verdicts ?? [];
  const lines = verdicts.slice(0, MOST).map((one) => {
    const rule = one.rule ? ` by ${hitText(one.rule)}` : "";
    const number = `${one.connections} connection${one.connections === 1 ? "" : "s"}`;
    return `${one.source} → ${one.dest} ${one.port}: ${word(one.before)} → ${word(one.after)}${rule}, ${number}` +
      (one.is_likely ? " (likely)" : "");
  });
  return verdicts.length > MOST ? [...lines, `${verdicts.length - MOST} more pairs`] : lines;
}

function word(verdict) {
  return verdict === "deny" ? "DENY" : verdict;
}
