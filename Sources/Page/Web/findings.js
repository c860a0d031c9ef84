// Findings: problems and their remedies.

import {h} from "./dom.js";
import {lastSeen, link} from "./parts.js";
import {toView} from "./state.js";
import {si} from "./text.js";

const PLACES = {
  pending: "policies",
  policy: "policies"
};

/** A list of findings, most severe first. */
export function findings(ctx, list) {
  if (list.length === 0)
    return h("p", {class: "calm"}, "Nothing needs attention: no losses, no gaps, no disagreements.");
  return h(
    "ul", {class: "findings"},
    list.map(
      (one) => h(
        "li",
        {key: one.id, class: `finding ${one.severity}`},
        h("span", {class: "severity"}, one.severity),
        h("div", {class: "finding-text"}, h("p", {class: "finding-title", dir: "auto"}, one.title),
          one.detail && h("p", {class: "muted", dir: "auto"}, one.detail),
          one.advice && h("p", {class: "muted", dir: "auto"}, one.advice)),
        h("div", {class: "finding-side"}, one.count > 0 && h("span", {class: "number"}, si(one.count)),
          lastSeen(one.last_seen, ctx),
          one.filter && link(ctx, toView(ctx.state, "records", {filter: one.filter}), null, "records"),
          PLACES[one.kind] && link(ctx, toView(ctx.state, PLACES[one.kind]), null, PLACES[one.kind])),
      )
    )
  );
}
