import assert from "node:assert/strict";
import {test} from "node:test";

import {Store} from "../../../Sources/Page/Web/store.js";

/** A store with an answer. */
function answered(data) {
  const store = new Store(() => {});
  const entry = {};
  store.entries.set("x", entry);
  store.settle("x", entry, {data, error: null});
  return store;
}

test("now is the server's time, unless it differs by seconds only", () => {
  const now = Math.floor(Date.now() / 1000);
  const isNear = (value, wanted) => assert.ok(Math.abs(value - wanted) <= 1, `${value} and ${wanted}`);
  isNear(new Store(() => {}).now(), now);
  isNear(answered({range: {now: 1764338400}}).now(), 1764338400);
  isNear(answered({range: {now: now - 2}}).now(), now);
  isNear(answered({}).now(), now);
});
