// Policies: tiers from left to right, hits per rule of each policy, unused rules, and the effects of staged policies.

import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {both} from "../filter.js";
import {distinct} from "../names.js";
import {button, card, choice, content, lastSeen, link, number} from "../parts.js";
import {previewButton, previewCard, previewStaged} from "../preview.js";
import {rangeParams, toView} from "../state.js";
import {count, si} from "../text.js";

export const title = "Policies";

const QUICK = [["", "All"], ["denying", "Denying"], ["unused", "Unused"], ["staged", "Staged"]];
const FOLD = 12;

/** The requests of the page. */
export function needs(ctx) {
  return [{name: "policies", path: "policies", params: rangeParams(ctx.state)}];
}

/** The page. */
export function view(ctx) {
  const entry = ctx.store.entry("policies");
  return h("div", {class: "policies-page"}, previewCard(ctx, entry.data), policiesCard(ctx, entry));
}

function policiesCard(ctx, entry) {
  return card(
    "Policies", {
      key: "policies",
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
        previewButton(ctx),
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
        "No record of this time range names a policy. With an inventory (weir run with --inventory or --kubeconfig) " +
          "records say which policies decide, and this page shows all policies.");
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
    h("p", {class: "note board-note"}, boardNote(ctx, data)),
    total === 0 ?
      h("p", {class: "calm"}, "No policy is like this.", " ",
        h("button", {type: "button", class: "quiet", on: {click: () => ctx.set({show: "", q: ""})}}, "Show all")) :
      h("ol", {class: "board"}, tiers.filter((tier) => tier.shown.length > 0).map((tier) => column(ctx, tier))),
  ];
}

/** The summary of all policies. */
function boardNote(ctx, data) {
  if (!data.has_inventory)
    return "Policies that records of this time range name. Those that decide nothing are shown with weir ui " +
      "--inventory PATH.";
  const policies = data.tiers.flatMap((tier) => tier.policies);
  const rules = policies.filter((policy) => policy.state === "used").flatMap((policy) => policy.rules);
  const unused = [policies, rules].map((list) => list.filter((one) => one.state === "unused").length);
  const staged = policies.filter((policy) => policy.is_staged);
  return [
    unused[0] + unused[1] === 0 ?
      "" :
      `Unused in this time range: ${plural(unused[0], "policy")}, and of others ${count(unused[1], "rule")}. `,
    staged.length > 0 && data.can_preview &&
      h("button", {type: "button", class: "quiet", on: {click: () => previewStaged(ctx)}},
        `What would ${plural(staged.length, "staged policy")} change?`),
  ];
}

function plural(value, word) {
  return count(value, word).replace("policys", "policies");
}

function column(ctx, tier) {
  return h(
    "li", {key: tier.name, class: "tier"},
    h("header", {class: "tier-head"}, h("h3", {dir: "auto"}, tier.name === "__PROFILE__" ? "profiles" : tier.name),
      h("span", {class: "note"}, plural(tier.policies.length, "policy")),
      tier.default_action && h("span", {class: "note"}, `else ${tier.default_action}`)),
    h("ol", null, tier.shown.map((policy) => policyCard(ctx, policy)))
  );
}

const ACTIONS = ["allow", "deny", "pass"];

function policyCard(ctx, policy) {
  const isOpen = ctx.ui.openPolicies?.[policy.id];
  const isWanted = (rule) => (ctx.state.show === "unused" ? rule.state === "unused" : rule.connections > 0);
  const rules = policy.rules.length > FOLD && !isOpen ? policy.rules.filter(isWanted).slice(0, FOLD) : policy.rules;
  const rest = policy.rules.length - rules.length;
  return h(
    "li",
    {key: policy.id, class: `policy ${policy.is_staged ? "staged" : ""} ${policy.state}`},
    h("div", {class: "policy-head"},
      h("span", {class: "policy-name", dir: "auto", title: policy.id},
        policy.namespace && h("span", {class: "end-space"}, h("bdi", null, policy.namespace), "/"),
        h("bdi", null, policy.name))),
    h("p", {class: "note"}, policy.is_staged && [h("span", {class: "badge staged"}, "staged"), " "],
      policy.state === "unused" && [h("span", {class: "badge"}, "unused"), " "], policy.kind,
      policy.selector && [" for ", h("code", {dir: "auto"}, policy.selector)]),
    policy.is_staged ? would(ctx, policy) : sums(policy),
    h("p", {class: "note"}, stateText(policy, ctx),
      policy.last_hit > 0 && policy.filter &&
        [" · ", through(ctx, "flows", policy.filter, "flows"), " · ", through(ctx, "records", policy.filter, "records")]
    ),
    rules.length > 0 &&
      h("table", {class: "rules"}, h("caption", {class: "sr"}, `Rules of ${policy.id}`),
        h("thead", {class: "sr"},
          h("tr", null,
            ["Rule", "Action", "Connections", "Last hit"].map((head) => h("th", {key: head, scope: "col"}, head)))),
        h("tbody", null, rules.flatMap((rule) => ruleRows(ctx, rule)))),
    rest > 0 &&
      button(`Show ${rest} more rules`, () => ctx.setUI({openPolicies: {...ctx.ui.openPolicies, [policy.id]: true}}), {
        class: "small"
      }),
  );
}

/** A link to the connections that a number counts. */
function through(ctx, view, filter, ...children) {
  return link(ctx, toView(ctx.state, view, {filter: both(ctx.state.filter, filter)}), {title: `the ${view}`}, children);
}

function sums(policy) {
  return h(
    "p", {class: "policy-sums"},
    ACTIONS.filter((action) => policy[action].connections > 0)
      .map(
        (action) =>
          h("span",
            {key: action,
             class: action === "deny" ? "deny-number" :
               action === "allow"     ? "allow-number" :
                                        "muted"},
            action === "deny" ? "DENY " : `${action} `, number(policy[action].connections))
      )
  );
}

/** The verdicts that a staged policy would have changed; each number links to the flows. */
function would(ctx, policy) {
  const part = (action, value, filter) => {
    const text = h("strong", {class: `${action}-number`}, `${action} ${si(value)}`);
    return value > 0 && filter ? through(ctx, "flows", filter, text) : text;
  };
  return h(
    "p", {class: "would"}, "would ", part("deny", policy.would_deny, policy.would_deny_filter), ", would ",
    part("allow", policy.would_allow, policy.would_allow_filter)
  );
}

function stateText(policy, ctx) {
  if (policy.state === "unused")
    return policy.is_staged ? "would have decided nothing in this time range" : "unused in this time range";
  if (policy.state === "unknown") return "cannot be known: no record of this range says which policies were asked";
  return ["last hit ", lastSeen(policy.last_hit, ctx)];
}

function ruleRows(ctx, rule) {
  const name = rule.index === -1 ? "end of tier" : rule.index === -2 ? "rule unknown" : `rule ${rule.index}`;
  const isHit = rule.connections > 0 && rule.filter;
  const connections = isHit ? through(ctx, "records", rule.filter, si(rule.connections)) : si(rule.connections);
  const key = `${rule.direction ?? ""}${rule.index}${rule.action}`;
  return [
    h("tr", {key, class: rule.state},
      h("td", {class: rule.index >= 0 ? "rule-name" : ""}, rule.direction ? `${rule.direction} ${name}` : name),
      h("td", {class: `step-action ${rule.action}`}, rule.action === "deny" ? "DENY" : rule.action),
      h("td", {class: "num"},
        rule.state === "unused"    ? "unused" :
          rule.state === "unknown" ? "not known" :
                                     connections),
      h("td", {class: "num muted"}, rule.last_hit ? lastSeen(rule.last_hit, ctx) : "")),
    rule.text &&
      h("tr", {key: `${key} text`, class: `rule-text ${rule.state}`},
        h("td", {colspan: 4, class: "note", dir: "auto", title: rule.text}, distinct(rule.text, 200))),
  ].filter(Boolean);
}
