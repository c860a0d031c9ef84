// Messages for an empty page: five causes, each with its remedy.

import {button, message} from "./parts.js";
import {absolute, isSpan, SPANS} from "./state.js";
import {ago, count} from "./text.js";

/** The requests that explain an empty page: the range without the filter. */
export function emptyNeeds(state) {
  if (!state.filter) return [];
  const params = {since: state.since, sum: "records"};
  if (state.until) params.until = state.until;
  return [{name: "unfiltered", path: "query", params}];
}

/** Explains why the response for a range is empty. `range` is the response's range. */
export function emptyState(ctx, range) {
  const {state} = ctx;
  if (range.oldest === null || range.oldest === undefined) {
    return message(
      "Nothing is recorded yet",
      "The store is empty. Start the agent with “sudo weir run --store”, or show a file of records with “weir ui --from " +
        "FILE”. Records appear here with the first flush.",
      button("Look again", () => ctx.refresh()),
    );
  }
  if (range.until < range.oldest) {
    return message(
      "This is before what is kept",
      `Records begin at ${ctx.stamp(range.oldest)}. Older ones have been removed, or were never made.`,
      button("Go to the oldest hour", () => ctx.set({since: String(range.oldest), until: String(range.oldest + 3600)})),
    );
  }
  const hidden = ctx.store.entry("unfiltered").data?.total?.sums?.[0];
  if (state.filter && hidden !== 0) {
    return message(
      "The filter hides everything",
      hidden === undefined ? "No record of this time range matches the filter." :
                             `The time range has ${count(hidden, "record")}, and none matches the filter.`,
      button("Remove the filter", () => ctx.set({filter: ""}), {class: "primary"}),
    );
  }
  const wider = isSpan(state.since) ? SPANS[SPANS.indexOf(state.since) + 1] : undefined;
  return message(
    "No traffic in this time range",
    `The newest record is of ${ctx.stamp(range.newest)} (${ago(range.newest, ctx.now())}).`,
    wider && button("Show a longer time", () => ctx.set({since: wider, until: ""}), {class: "primary"}),
    button(
      "Go to the newest records", () => ctx.set({...absolute(state, {since: range.newest - 900, until: range.newest})})
    ),
  );
}

/** Shows above the page that the server does not respond, or denies access; the page keeps its content. */
export function outage(ctx, error) {
  if (error.kind === "permission") {
    return message(
      "A token is needed",
      "weir ui listens beyond this machine and asks for the token of its --token-file. Enter it here; it is kept until this " +
        "tab is closed.",
      button("Enter the token", () => ctx.setUI({dialog: "token"}), {class: "primary"}),
    );
  }
  const seconds = Math.max(0, Math.ceil((ctx.ui.retryAt - Date.now()) / 1000));
  return message(
    "No connection to weir ui",
    `${error.message} It may have been stopped: start it again with “weir ui”. ${
      seconds > 0 ? `Next attempt in ${seconds} s.` : "Trying now."}`,
    button("Try now", () => ctx.refresh()),
  );
}
