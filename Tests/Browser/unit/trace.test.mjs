import assert from "node:assert/strict";
import {test} from "node:test";

import {reasonText} from "../../../Sources/Page/Web/parts.js";
import {checkText, stepText} from "../../../Sources/Page/Web/trace.js";

import {install} from "./document.mjs";

install("http://127.0.0.1/");

const STEP = {
  tier: "application",
  kind: "NetworkPolicy",
  policy: "yaobank/application.allow-customer",
  text:
    "tier application: NetworkPolicy yaobank/application.allow-customer: no rule matched, and the tier's default action denied",
};

test("a step repeats neither its tier nor its policy", () => {
  assert.equal(stepText(STEP), "no rule matched, and the tier's default action denied");
  const staged = "tier application: StagedNetworkPolicy yaobank/application.x (staged, not in force): rule 0 allowed";
  assert.equal(stepText({...STEP, kind: "StagedNetworkPolicy", text: staged}), "rule 0 allowed");
  for (const text
         of ["no tier decides, and profile kns.x allows everything", "tier other: NetworkPolicy a/b: rule 0 allowed"])
    assert.equal(stepText({...STEP, text}), text);
  const check = (policy) => `Calico NetworkPolicy ${policy} rule 0 (spec.ingress[0]) allow: does not hold: port is 80`;
  assert.equal(checkText(check(STEP.policy), STEP), "rule 0 (spec.ingress[0]) allow: does not hold: port is 80");
  assert.equal(checkText(check("yaobank/other"), STEP), check("yaobank/other"));
  assert.equal(checkText("rule 0 allow: does not hold", {policy: undefined}), "rule 0 allow: does not hold");
});

test("a sentence behind a verdict omits the verdict", () => {
  const text = (sentence) => reasonText(sentence).children.map((one) => one.text).join("");
  assert.equal(text("deny: tier default: no rule matched"), "tier default: no rule matched");
  assert.equal(text("denied: because"), "denied: because");
});
