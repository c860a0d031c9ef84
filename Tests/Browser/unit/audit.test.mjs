import assert from "node:assert/strict";
import {test} from "node:test";

import {auditEvents, changeLines, withCauses} from "../../../Sources/Page/Web/audit.js";

const CHANGE = {
  time: 1000,
  kind: "policy",
  change: "changed",
  title: "NetworkPolicy shop/db-allow",
  user: "alice",
  verdicts_changed: [{
    source: "shop/web-*",
    dest: "shop/db-*",
    port: "5432/tcp",
    before: "allow",
    after: "deny",
    rule: "0|default|shop/knp.default.db-allow|deny|-1",
    connections: 3
  }]
};
const VERDICT = {
  time: 1010,
  kind: "verdict",
  change: "allow → DENY",
  subject: {source: "shop/web-*", dest: "shop/db-*", port: "5432/tcp"}
};

test("an answer may be missing, and kinds map to those of the page", () => {
  assert.deepEqual(auditEvents(undefined), []);
  assert.deepEqual(auditEvents({}), []);
  const kinds = auditEvents({events: [CHANGE, {...CHANGE, kind: "object"}, {...CHANGE, kind: "service"}]});
  assert.deepEqual(kinds.map((one) => one.kind), ["policy", "object", "object"]);
});

test("a verdict is linked with the change that changed the same connections, and no other", () => {
  const audits = auditEvents({events: [CHANGE]});
  const cause = (event, list = audits) => withCauses([event], list)[0].cause;
  assert.equal(cause(VERDICT), "because alice changed NetworkPolicy shop/db-allow");
  assert.equal(cause({...VERDICT, time: 990}), undefined);
  assert.equal(cause({...VERDICT, time: 1200}), undefined);
  assert.equal(cause({...VERDICT, subject: {...VERDICT.subject, port: "80/tcp"}}), undefined);
  const likely = {...CHANGE, verdicts_changed: [{...CHANGE.verdicts_changed[0], is_likely: true}]};
  assert.match(cause(VERDICT, auditEvents({events: [likely]})), /^likely because alice/);
});

test("pairs are listed as text, up to a limit", () => {
  const [event] = auditEvents({events: [CHANGE]});
  assert.deepEqual(
    changeLines(event),
    ["shop/web-* → shop/db-* 5432/tcp: allow → DENY by end of tier default (shop/knp.default.db-allow), 3 connections"]
  );
  const many = auditEvents({events: [{...CHANGE, verdicts_changed: Array(30).fill(CHANGE.verdicts_changed[0])}]})[0];
  assert.equal(changeLines(many).length, 9);
  assert.equal(changeLines(many)[8], "22 more pairs");
  assert.deepEqual(changeLines(VERDICT), []);
});
