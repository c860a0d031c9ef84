// The explanation of a connection's verdict: enforced and pending policies side by side.

import {traceCommand} from "./commands.js";
import {h} from "./dom.js";
import {hitText, readHit} from "./names.js";
import {button, reasonText, verdict} from "./parts.js";
import {copyText} from "./shell.js";
import {visible} from "./text.js";

/**
 * The explanation from the API in two columns; one column if the pending verdict is the same. `title` names the
 * reporter; `hidesSentence`: whether the sentence is already shown above.
 */
export function trace(explanation, title, hidesSentence = false) {
  const {now, pending} = explanation;
  const differs = pending && !pending.is_same;
  const first = differs ? firstDifference(now.steps, pending.steps) : -1;
  return h(
    "div",
    {class: "trace"},
    title && h("h3", null, title),
    h(
      "div",
      {class: `trace-columns ${differs ? "two" : ""}`},
      side("Now", now, first, "", hidesSentence),
      differs && side("If staged policies were enforced", pending, first, "would ", false),
    ),
    pending && !differs && h("p", {class: "muted"}, "Pending is the same: staged policies would change nothing here."),
    explanation.notes?.length > 0 &&
      h("ul", {class: "notes"}, explanation.notes.map((note, index) => h("li", {key: index, dir: "auto"}, note))),
  );
}

function side(title, decision, first, would, hidesSentence) {
  const steps = decision.steps;
  return h(
    "section", {class: `trace-side ${would ? "pending" : ""}`}, h("h4", null, title),
    h("p", {class: "trace-sentence"}, would && h("span", {class: "muted"}, would), verdict(decision.action), " ",
      !hidesSentence && reasonText(decision.sentence)),
    h("ol", {class: "steps"}, steps.map((step, index) => stepLine(step, index === first, index === steps.length - 1)))
  );
}

function stepLine(step, isFirstDifferent, isLast) {
  const hit = readHit(step.hit);
  const action = step.action ?? hit?.action ?? "";
  return h(
    "li",
    {key: step.hit, class: `step ${action} ${isLast ? "last" : ""} ${isFirstDifferent ? "different" : ""}`},
    h("div", {class: "step-head"},
      h("span", {class: "step-tier", title: "tier"}, visible(step.tier ?? hit?.tier ?? "")),
      h("span", {class: `step-action ${action}`}, action === "deny" ? "DENY" : action),
      isFirstDifferent && h("span", {class: "badge"}, "first difference"),
      step.is_staged && h("span", {class: "badge staged"}, "staged")),
    h("div", {class: "step-policy", title: step.hit ? visible(step.hit) : undefined}, step.kind ? `${step.kind} ` : "",
      h("bdi", null, hitText(step.hit))),
    step.text && h("div", {class: "step-text", dir: "auto"}, visible(stepText(step))),
    step.checks?.length > 0 &&
      h("ul", {class: "checks"},
        step.checks.map((check, index) => h("li", {key: index, dir: "auto"}, visible(checkText(check, step))))),
  );
}

/** Returns the text of a step, without its tier and policy, which are shown above it. */
export function stepText({text, tier, kind}) {
  const start = `tier ${tier}: ${kind} `;
  const end = text.indexOf(": ", start.length);
  return text.startsWith(start) && end > 0 ? text.slice(end + 2) : text;
}

/** Returns the reason why a rule did not match, without the policy if it is that of the step. */
export function checkText(check, {policy}) {
  const [before, ...rest] = check.split(` ${policy} rule `);
  return policy && rest.length > 0 && /^(Calico |Kubernetes )?\w+$/.test(before) ?
    `rule ${rest.join(` ${policy} rule `)}` :
    check;
}

function firstDifference(left, right) {
  for (let index = 0; index < Math.max(left.length, right.length); index += 1)
    if (left[index]?.hit !== right[index]?.hit) return index;
  return -1;
}

/** A button that copies the command to explain why rules did not match; null if the record does not name its ends. */
export function traceButton(ctx, record) {
  const command = record ? traceCommand(record) : null;
  if (!command) return null;
  const label = ctx.ui.copied === "trace" ? "Copied" : "Copy weir policy trace";
  return button(label, () => copyText(ctx, "trace", command), {title: command});
}
