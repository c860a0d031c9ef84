// Policies: tiers from left to right, each policy with hits per rule; what is unused; what staged policies would
// change.

import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {both} from "../filter.js";
import {card, choice, content, lastSeen, link, number} from "../parts.js";
import {rangeParams, toView} from "../state.js";
import {count, si} from "../text.js";

export const title = "Policies";

const QUICK = [["", "All"], ["denying", "Denying"], ["unused", "Unused"], ["staged", "Staged"]];
const FOLD = 12;

/** What the page asks for. */
export function needs(ctx) {
  return [{name: "policies", path: "policies", params: rangeParams(ctx.state)}];
}

/** The page. */
export function view(ctx) {
  const entry = ctx.store.entry("policies");
  return card(
    "Policies", {
      entry,
      class: "policies-card",
      note: "in the order in which they are asked",
      actions: [
        h("input", {
          key: "find",
          class: "input find",
          type: "search",
          placeholder: "Find a policy",
          "aria-label": "Find a policy",
          value: ctx.state.q,
          on: {input: (event) => ctx.set({q: event.target.value}, true)}
        }),
        choice("Which policies", QUICK, ctx.state.show, (show) => ctx.set({show}, true)),
      ],
    },
    content(ctx, entry, (data) => board(ctx, data), 10)
  );
}

const TESTS = {
  denying: (policy) => policy.deny.connections > 0,
  unused: (policy) => policy.state === "unused" || policy.rules.some((rule) => rule.state === "unused"),
  staged: (policy) => policy.is_staged,
};

function board(ctx, data) {
  if (data.tiers.length === 0)
    return data.range.oldest === null || data.range.until < data.range.oldest || ctx.state.filter ?
      emptyState(ctx, data.range) :
      h("p", {class: "calm"},
        "No record of this time range names a policy. With an inventory (weir run --inventory or --kubernetes) records " +
          "say which policies decide.");
  const test = TESTS[ctx.state.show] ?? (() => true);
  const find = ctx.state.q.toLowerCase();
  const tiers = data.tiers.map(
    (tier) => ({
      ...tier,
      shown: tier.policies.filter((policy) => test(policy) && `${tier.name} ${policy.id}`.toLowerCase().includes(find))
    })
  );
  const total = tiers.reduce((sum, tier) => sum + tier.shown.length, 0);
  return [
    !data.has_inventory &&
      h("p", {class: "note"},
        "Policies that records of this time range name. Which others there are is known to weir policy check --inventory."
      ),
    total === 0 ?
      h("p", {class: "calm"}, "No policy is like this.", " ",
        h("button", {type: "button", class: "quiet", on: {click: () => ctx.set({show: "", q: ""})}}, "Show all")) :
      h("ol", {class: "board"}, tiers.filter((tier) => tier.shown.length > 0).map((tier) => column(ctx, tier))),
  ];
}

function column(ctx, tier) {
  return h(
    "li", {key: tier.name, class: "tier"},
    h("header", {class: "tier-head"}, h("h3", {dir: "auto"}, tier.name === "__PROFILE__" ? "profiles" : tier.name),
      h("span", {class: "note"}, count(tier.policies.length, "policy").replace("policys", "policies")),
      tier.default_action && h("span", {class: "note"}, `else ${tier.default_action}`)),
    h("ol", null, tier.shown.map((policy) => policyCard(ctx, policy)))
  );
}

const ACTIONS = ["allow", "deny", "pass"];

function policyCard(ctx, policy) {
  const isOpen = ctx.ui.openPolicies?.[policy.id];
  const rules = policy.rules.length > FOLD && !isOpen ?
    policy.rules.filter((rule) => rule.connections > 0).slice(0, FOLD) :
    policy.rules;
  const rest = policy.rules.length - rules.length;
  return h(
    "li",
    {key: policy.id, class: `policy ${policy.is_staged ? "staged" : ""} ${policy.state}`},
    h("div", {class: "policy-head"},
      h("span", {class: "policy-name", dir: "auto", title: policy.id},
        policy.namespace && h("span", {class: "end-space"}, h("bdi", null, policy.namespace), "/"),
        h("bdi", null, policy.name))),
    h("p", {class: "note"}, policy.is_staged && [h("span", {class: "badge staged"}, "staged"), " "], policy.kind,
      policy.selector && [" for ", h("code", {dir: "auto"}, policy.selector)]),
    policy.is_staged ?
      h("p", {class: "would"}, "would ", h("strong", {class: "deny-number"}, `deny ${si(policy.would_deny)}`),
        ", would ", h("strong", {class: "allow-number"}, `allow ${si(policy.would_allow)}`)) :
      h("p", {class: "policy-sums"},
        ACTIONS.filter((action) => policy[action].connections > 0)
          .map(
            (action) =>
              h("span",
                {key: action,
                 class: action === "deny" ? "deny-number" :
                   action === "allow"     ? "allow-number" :
                                            "muted"},
                action === "deny" ? "DENY " : `${action} `, number(policy[action].connections))
          )),
    h("p", {class: "note"}, stateText(policy, ctx)),
    rules.length > 0 &&
      h("table", {class: "rules"}, h("caption", {class: "sr"}, `Rules of ${policy.id}`),
        h("thead", {class: "sr"},
          h("tr", null,
            ["Rule", "Action", "Connections", "Last hit"].map((head) => h("th", {key: head, scope: "col"}, head)))),
        h("tbody", null, rules.map((rule) => ruleRow(ctx, policy, rule)))),
    rest > 0 &&
      h("button", {
        type: "button",
        class: "quiet",
        on: {click: () => ctx.setUI({openPolicies: {...ctx.ui.openPolicies, [policy.id]: true}})}
      },
        `Show ${rest} rules without hits`),
  );
}

function stateText(policy, ctx) {
  if (policy.state === "unused") return "unused in this time range";
  if (policy.state === "unknown") return "cannot be known: the records do not cover it";
  return ["last hit ", lastSeen(policy.last_hit, ctx)];
}

function ruleRow(ctx, policy, rule) {
  const name = rule.index === -1 ? "end of tier" :
    rule.index === -2            ? "rule unknown" :
                                   `${rule.direction ? `${rule.direction} ` : ""           }rule ${rule.index}`;
  const filter = rule.filter;
  const connections = rule.connections > 0 && filter ?
    link(
      ctx, toView(ctx.state, "records", {filter: both(ctx.state.filter, filter)}), {title: "the records"},
      si(rule.connections)
    ) :
    si(rule.connections);
  return h(
    "tr",
    {key: `${rule.direction ?? ""}${rule.index}${rule.action}`, class: rule.state},
    h("td", {title: rule.text ? String(rule.text) : undefined}, name,
      rule.text && h("div", {class: "note", dir: "auto"}, rule.text)),
    h("td", {class: `step-action ${rule.action}`}, rule.action === "deny" ? "DENY" : rule.action),
    h("td", {class: "num"},
      rule.state === "unused"    ? "unused" :
        rule.state === "unknown" ? "not known" :
                                   connections),
    h("td", {class: "num muted"}, rule.last_hit ? lastSeen(rule.last_hit, ctx) : ""),
  );
}
