import assert from "node:assert/strict";
import {test} from "node:test";

import {foldGraph} from "../../../Sources/Page/Web/graphfold.js";
import {curve, fit, overlaps} from "../../../Sources/Page/Web/graphgeometry.js";
import {layers, layOut, Places} from "../../../Sources/Page/Web/graphlayout.js";

const edge = (source, dest, allowed = 1, denied = 0) => ({
  source,
  dest,
  allowed: {connections: allowed, bytes: 0, packets: 0},
  denied: {connections: denied, bytes: 0, packets: 0}
});
const node = (id, namespace = "n", kind = "workload") => ({
  id,
  kind,
  namespace,
  name: id,
  sent: {connections: 1, bytes: 1},
  received: {connections: 0, bytes: 0},
  denied: {connections: 0}
});

test("layers follow the traffic, also in cycles", () => {
  const layer =
    layers(["a", "b", "c", "d"], [edge("a", "b"), edge("b", "c"), edge("c", "b"), edge("c", "d"), edge("a", "a")]);
  assert.deepEqual(["a", "b", "c", "d"].map((id) => layer.get(id)), [0, 1, 2, 3]);
});

test("a chain of 5,000 is laid out", () => {
  const ids = Array.from({length: 5000}, (_, index) => `n${index}`);
  const layer = layers(ids, ids.slice(1).map((id, index) => edge(ids[index], id)));
  assert.equal(layer.get("n4999"), 4999);
});

test("each node has its own cell", () => {
  const ids = Array.from({length: 500}, (_, index) => `n${index}`);
  const edges = ids.map((id, index) => edge(id, ids[(index * 7 + 3) % 500]));
  const places = layOut(ids, edges);
  assert.equal(new Set([...places.values()].map(({column, row}) => `${column},${row}`)).size, 500);
  assert.deepEqual([...layOut(ids, edges)], [...places]);
});

test("a refresh moves no node, new nodes get free cells, and missing nodes stay for two refreshes", () => {
  const places = new Places();
  const edges = [edge("a", "b"), edge("b", "c")];
  places.update(["a", "b", "c"], edges, "g");
  const before = new Map([...places.cells].map(([id, cell]) => [id, {...cell}]));
  places.update(["a", "b", "c", "x", "y"], [...edges, edge("a", "x"), edge("y", "b")], "g");
  for (const [id, cell] of before) assert.deepEqual(places.cells.get(id), cell);
  assert.equal(new Set([...places.cells.values()].map(({column, row}) => `${column},${row}`)).size, 5);
  for (let refresh = 0; refresh < 2; refresh += 1) {
    places.update(["a", "b"], [edge("a", "b")], "g");
    assert.ok(places.missing.has("c"));
    assert.ok(places.cells.has("c"));
  }
  places.update(["a", "b"], [edge("a", "b")], "g");
  assert.ok(!places.cells.has("c"));
});

test("500 nodes are folded into at most 40 groups, and sums are kept", () => {
  const nodes = Array.from({length: 500}, (_, index) => node(`w${index}`, `team-${index % 39}`));
  const edges = nodes.map((one, index) => edge(one.id, nodes[(index * 11 + 1) % 500].id, 2, index % 100 === 0 ? 1 : 0));
  const drawn = foldGraph({nodes, edges}, {});
  assert.ok(drawn.nodes.length <= 40);
  assert.equal(drawn.nodes.reduce((sum, one) => sum + one.count, 0), 500);
  const space = new Map(nodes.map((one) => [one.id, one.namespace]));
  const across = edges.filter((one) => space.get(one.source) !== space.get(one.dest));
  const sum = (list, side) => list.reduce((total, one) => total + one[side].connections, 0);
  assert.equal(sum(drawn.edges, "denied"), sum(across, "denied"));
  assert.equal(drawn.edges.length, 300);
  const few = foldGraph({nodes, edges: edges.slice(0, 250)}, {});
  assert.equal(sum(few.edges, "allowed"), sum(across.filter((one) => edges.indexOf(one) < 250), "allowed"));
  const open = foldGraph({nodes, edges}, {unfolded: new Set(["team-3"])});
  assert.ok(open.nodes.some((one) => one.id === "w3") && !open.nodes.some((one) => one.id === "group:team-3"));
});

test("networks can be hidden, and only neighbours be shown", () => {
  const graph = {
    nodes: [node("a"), node("b"), node("c"), node("x", null, "network")],
    edges: [edge("a", "b"), edge("b", "c"), edge("a", "x")]
  };
  assert.deepEqual(foldGraph(graph, {hideNetworks: true}).edges.length, 2);
  assert.deepEqual(foldGraph(graph, {near: "c"}).nodes.map((one) => one.id), ["b", "c"]);
});

test("the view contains all points, and boxes that touch do not overlap", () => {
  const view = fit([{x: 0, y: 0}, {x: 5000, y: 3000}], 800, 600);
  for (const point of [{x: 0, y: 0}, {x: 5000, y: 3000}]) {
    assert.ok(point.x * view.k + view.x > 0 && point.x * view.k + view.x < 800);
    assert.ok(point.y * view.k + view.y > 0 && point.y * view.k + view.y < 600);
  }
  const narrow = fit([{x: 0, y: 0}, {x: 1200, y: 300}], 340, 460, 0.62);
  assert.equal(narrow.k, 0.62);
  assert.ok(narrow.x > 0 && narrow.x < 120);
  // The points of interest are in the middle, or begin with the first one; the view ends at the last point.
  const points = [{x: 0, y: 0}, {x: 600, y: 0}, {x: 800, y: 100}, {x: 5000, y: 900}];
  const middle = fit(points, 600, 460, 1, points.slice(1, 3));
  assert.deepEqual([middle.x + 700, middle.k], [300, 1]);
  const wide = fit(points, 340, 460, 1, [points[2], points[0]]);
  assert.ok(wide.x + 800 > 90 && wide.x + 800 < 130);
  assert.ok(fit(points, 340, 460, 1, [points[3]]).x + 5000 > 200);
  assert.ok(!overlaps({x: 0, y: 0, width: 10, height: 10}, {x: 10, y: 0, width: 5, height: 5}));
  assert.ok(!curve({x: 0, y: 0}, {x: 0, y: 0}, true).path.includes("NaN"));
});
