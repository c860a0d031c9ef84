import assert from "node:assert/strict";
import {test} from "node:test";

import {bandPath, LIMITS, ribbonPath, ringLayout, share} from "../../../Sources/Page/Web/ring.js";

const amount = (connections) => ({connections, bytes: connections * 10, packets: connections});
const graph = (sizes) => ({
  nodes: [...new Set(sizes.flatMap(([a, b]) => [a, b]))].map(
    (id) => ({id, kind: "workload", namespace: id.split("/")[0], name: id.split("/")[1]})
  ),
  edges: sizes.map(([source, dest, allowed,
                     denied = 0]) => ({source, dest, allowed: amount(allowed), denied: amount(denied)})),
});

test("shares fill the room, and none is below the smallest", () => {
  const parts = share([1, 1, 98, 0], 1, 0.05);
  assert.ok(Math.abs(parts.reduce((a, b) => a + b) - 1) < 1e-9);
  assert.ok(parts.every((part) => part >= 0.05 - 1e-9));
  assert.deepEqual(share([0, 0], 1, 0.1), [0.5, 0.5]);
});

test("arcs beside a node with 95 % of the traffic have the minimum size", () => {
  const sizes = Array.from({length: 20}, (_, index) => ["big/a", `n${index}/b`, index === 0 ? 1_000_000 : 5]);
  const {arcs} = ringLayout(graph(sizes), {measure: "connections"});
  assert.equal(arcs.length, 21);
  for (const arc of arcs) assert.ok(arc.end - arc.start >= LIMITS.smallestArc - 1e-9, arc.id);
});

test("arcs do not overlap and close the ring", () => {
  const {arcs} = ringLayout(graph([["a/1", "b/2", 10], ["b/2", "c/3", 4, 2], ["c/3", "a/1", 1]]), {measure: "bytes"});
  for (let index = 1; index < arcs.length; index += 1) assert.ok(arcs[index].start > arcs[index - 1].end);
  assert.ok(arcs.at(-1).end <= arcs[0].start + 2 * Math.PI + 1e-9);
});

test("ribbons stand within the arcs of their ends, and do not overlap there", () => {
  const {arcs, ribbons} =
    ringLayout(graph([["a/1", "b/2", 10, 3], ["b/2", "a/1", 4], ["c/3", "a/1", 1]]), {measure: "connections"});
  assert.equal(ribbons.length, 4);
  for (const arc of arcs) {
    const places = ribbons.flatMap((ribbon) => [[ribbon.edge.source, ribbon.source], [ribbon.edge.dest, ribbon.dest]])
                     .filter(([id]) => id === arc.id)
                     .map(([, place]) => place)
                     .sort((a, b) => a[0] - b[0]);
    assert.ok(places[0][0] >= arc.start - 1e-9 && places.at(-1)[1] <= arc.end + 1e-9);
    for (let index = 1; index < places.length; index += 1) assert.ok(places[index][0] >= places[index - 1][1] - 1e-9);
  }
});

test("denied ribbons come last, so that they lie on top, also within an end", () => {
  const {ribbons} =
    ringLayout(graph([["a/1", "b/2", 10_000], ["c/3", "b/2", 0, 1], ["a/1", "a/1", 50, 2]]), {measure: "connections"});
  assert.deepEqual(ribbons.map((ribbon) => ribbon.action), ["allow", "deny", "deny"]);
  assert.equal(ribbons.filter((ribbon) => ribbon.edge.source === ribbon.edge.dest).length, 1);
});

test("nodes beyond the limits are folded, and denied ribbons remain", () => {
  const sizes = Array.from(
    {length: 300}, (_, index) => [`n${index % 60}/a`, `m${(index * 7) % 50}/b`, index + 1, index === 5 ? 1 : 0]
  );
  const layout = ringLayout(graph(sizes), {measure: "connections"});
  assert.equal(layout.arcs.length, LIMITS.arcs);
  assert.ok(layout.hiddenNodes > 0);
  assert.ok(layout.ribbons.length <= LIMITS.ribbons);
  assert.ok(layout.ribbons.some((ribbon) => ribbon.action === "deny"));
});

test("2,000 pairs are laid out in less than 60 ms", () => {
  const sizes = Array.from(
    {length: 2000},
    (_, index) =>
      [`n${index % 40}/w${index % 300}`, `n${(index * 3) % 40}/w${(index * 13) % 300}`, 1 + (index % 97),
       index % 50 === 0 ? 2 : 0]
  );
  const data = graph(sizes);
  const times = [];
  for (let round = 0; round < 6; round += 1) {
    const begin = process.cpuUsage();
    const {ribbons} = ringLayout(data, {measure: "connections", maxArcs: Infinity, maxRibbons: Infinity});
    assert.ok(ribbons.map((ribbon) => ribbonPath(ribbon, 200)).every((path) => !path.includes("NaN")));
    const used = process.cpuUsage(begin);
    times.push((used.user + used.system) / 1000);
  }
  // The CPU time of the fastest round, since other processes use the machine, too.
  assert.ok(Math.min(...times) < 60, `${Math.min(...times)} ms`);
});

test("a band of a full circle is drawn", () => {
  assert.ok(!bandPath(0, 2 * Math.PI, 1, 2).includes("NaN"));
});
