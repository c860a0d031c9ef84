import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {test} from "node:test";

import {otherEvents, verdictChanges} from "../../../Sources/Page/Web/changes.js";
import {queryCommand, shellWord, traceCommand} from "../../../Sources/Page/Web/commands.js";
import {countedRows} from "../../../Sources/Page/Web/counted.js";
import {byPort} from "../../../Sources/Page/Web/pair.js";
import {podGraph} from "../../../Sources/Page/Web/podgraph.js";
import {filled, niceCeiling, timeTicks} from "../../../Sources/Page/Web/scale.js";
import {sortRows} from "../../../Sources/Page/Web/table.js";

const row = (source, action, first, last, sums = [3]) =>
  ({group: [source, "b/y-*", 80, "tcp", action], sums, first_seen: first, last_seen: last});

test("verdict changes are derived from the times of sums", () => {
  const range = {since: 1000, until: 2000};
  const rows = [
    row("a/1-*", "allow", 1000, 1400), row("a/1-*", "deny", 1500, 2000), row("a/2-*", "deny", 1000, 1500),
    row("a/2-*", "allow", 1600, 2000), row("a/3-*", "deny", 1700, 1800), row("a/4-*", "deny", 1010, 2000),
    row("a/5-*", "allow", 1000, 2000), row("a/5-*", "deny", 1000, 2000)
  ];
  const events = verdictChanges({rows, range});
  assert.deepEqual(events.map((one) => [one.time, one.change, one.subject.source]), [
    [1700, "denied", "a/3-*"], [1600, "DENY → allow", "a/2-*"], [1500, "allow → DENY", "a/1-*"]
  ]);
  assert.equal(
    events[2].filter,
    'source_namespace == "a" && source_name_aggr == "1-*" && dest_namespace == "b" && dest_name_aggr == "y-*" && dest_port == 80'
  );
});

test("gaps and findings are events", () => {
  const events = otherEvents(
    [
      {kind: "loss", severity: "error", title: "t", first_seen: 5, last_seen: 9, count: 2, filter: null},
      {kind: "gap", first_seen: 1}
    ],
    {gaps: [{from: 60, until: 120}]}
  );
  assert.deepEqual(events.map((one) => [one.kind, one.time]), [["loss", 5], ["loss", 60]]);
});

test("a port that both ends report counts once", () => {
  const sums = (count) => [count, count * 10, count, 0, 0];
  const rows = [
    {group: [80, "tcp", "src", "allow"], sums: sums(10), last_seen: 5},
    {group: [80, "tcp", "dst", "allow"], sums: sums(7), last_seen: 6},
    {group: [80, "tcp", "dst", "deny"], sums: sums(3), last_seen: 7}
  ];
  assert.deepEqual(byPort({rows}), [{port: 80, proto: "tcp", denied: 3, allowed: 7, bytes: 100, packets: 10, last: 7}]);
});

test("a forwarding host's report of a port counts where neither end reports", () => {
  const row = (port, reporter, sums) => ({group: [port, "tcp", reporter, "allow"], sums, last_seen: 5});
  const rows =
    [row(80, "fwd", [10, 0, 0, 120, 12]), row(80, "dst", [9, 100, 10, 0, 0]), row(443, "fwd", [4, 0, 0, 40, 8])];
  assert.deepEqual(
    byPort({rows}).map((one) => [one.port, one.allowed, one.bytes, one.packets]), [[80, 9, 100, 10], [443, 4, 40, 8]]
  );
});

test("connections that several records have count once, and no denial is left out", () => {
  // The records of a pair (reporter, action, connections), and the connections that are allowed and denied.
  const cases = [
    [[["fwd", "deny", 30]], 0, 30], [[["fwd", "allow", 5], ["fwd", "deny", 2]], 5, 2],
    [[["src", "allow", 4], ["fwd", "allow", 4], ["dst", "allow", 4]], 4, 0],
    [[["dst", "allow", 10], ["dst", "deny", 2], ["fwd", "allow", 24]], 10, 2],
    [[["fwd", "deny", 30], ["fwd", "allow", 1], ["dst", "allow", 1]], 1, 30],
    [[["src", "allow", 10], ["fwd", "deny", 10]], 0, 10], [[["src", "deny", 30], ["fwd", "deny", 30]], 0, 30],
    [[["dst", "allow", 10], ["dst", "deny", 2], ["fwd", "deny", 30], ["fwd", "allow", 12]], 10, 32],
    [[["dst, fwd", "allow", 3], ["src,fwd", "allow", 5]], 5, 0]
  ];
  for (const [records, allowed, denied] of cases) {
    const rows =
      records.map(([reporter, action, count]) => ({
                    group: [80, reporter, action],
                    sums: reporter === "fwd" ? [count, 0, 0, count * 10, count] : [count, count * 10, count, 0, 0],
                    last_seen: 5
                  }));
    const sums = (count) => ({connections: count, bytes: count * 10, packets: count});
    assert.deepEqual(countedRows(rows), [{group: [80], allowed: sums(allowed), denied: sums(denied), last: 5}]);
  }
});

test("a forwarding host's report of pods counts where neither end reports", () => {
  const group = (dest, reporter) => ["-/pub", "-", dest, "-", reporter, "allow"];
  // In the order of the API's rows.
  const graph = podGraph({
    range: {},
    rows: [
      {group: group("shop/web-*", "fwd"), sums: [10, 0, 0, 120, 12], last_seen: 5},
      {group: group("shop/web-*", "src"), sums: [10, 100, 10, 0, 0], last_seen: 5},
      {group: group("-/pvt", "fwd"), sums: [4, 0, 0, 40, 8], last_seen: 5}
    ],
    other: {groups: 0, sums: [0, 0, 0, 0, 0]},
  });
  assert.deepEqual(graph.edges.map((edge) => edge.allowed), [
    {connections: 10, bytes: 100, packets: 10}, {connections: 4, bytes: 40, packets: 8}
  ]);
});

test("the graph of pods counts each connection once", () => {
  const row = (group, connections) => ({group, sums: [connections, connections * 10, connections, 0, 0], last_seen: 5});
  const answer = {
    range: {},
    rows: [
      row(["shop/web-*", "web-1", "shop/db-*", "db-1", "src", "allow"], 10),
      row(["shop/web-*", "web-1", "shop/db-*", "db-1", "dst", "allow"], 7),
      row(["shop/web-*", "web-1", "shop/db-*", "db-1", "dst", "deny"], 3),
      row(["-/pub", "-", "shop/web-*", "web-1", "dst", "allow"], 2),
      row(["shop/web-*", null, "-/node-1", null, "src", "deny"], 1),
    ],
    other: {groups: 2, sums: [4, 40, 4, 0, 0]},
  };
  const graph = podGraph(answer);
  assert.equal(podGraph(answer), graph);
  assert.deepEqual(
    graph.edges.map((edge) => [edge.source, edge.dest, edge.allowed.connections, edge.denied.connections]),
    [
      ["pod:shop/web-1", "pod:shop/db-1", 7, 3],
      ["workload:shop/web-*", "host:-/node-1", 0, 1],
      ["network:-/pub", "pod:shop/web-1", 2, 0],
    ]
  );
  assert.deepEqual([graph.total.allowed.connections, graph.total.denied.connections, graph.other.edges], [13, 4, 2]);
});

test("commands quote names for a shell", () => {
  const state = {since: "15m", until: ""};
  assert.equal(
    queryCommand(state, 'a == "x"'),
    `weir query --since 15m --filter 'a == "x"' --group-by dest_port,proto,action --sum connections,bytes,packets`
  );
  const record = {
    source_type: "wep",
    source_namespace: "bank",
    source_name: "web-1",
    source_ip: null,
    dest_type: "net",
    dest_name: "-",
    dest_ip: "10.9.8.7",
    dest_port: 2379,
    proto: "tcp",
  };
  assert.equal(
    traceCommand(record),
    "weir policy trace --inventory PATH --from bank/web-1 --to 10.9.8.7 --protocol tcp --port 2379"
  );
  assert.ok(traceCommand({...record, proto: "icmp6", dest_port: 260}
  ).endsWith("--protocol icmp6 --icmp-type 1 --icmp-code 4"));
  assert.ok(traceCommand({...record, proto: "icmp", dest_port: null}).endsWith("--protocol icmp"));
  assert.equal(traceCommand({...record, dest_ip: null}), null);
  assert.equal(traceCommand({...record, source_name: "-"}), null);
  const words = [
    ["a'b", "'a'\\''b'"], ["$(x)", "'$(x)'"], ["-x", "'-x'"], ["a b", "'a b'"], ["", "''"], ["a\\b", "'a\\b'"],
    ["a\nb", "$'a\\U0000000ab'"], ["it's\u001b[201~\\", "$'it\\'s\\U0000001b[201~\\\\'"], ["\u202e", "$'\\U0000202e'"]
  ];
  for (const [text, word] of words) {
    assert.equal(shellWord(text), word);
    assert.equal(execFileSync("bash", ["-c", `printf %s ${word}`], {env: {LC_ALL: "C.UTF-8"}}).toString(), text);
  }
});

test("axes have round limits and ticks", () => {
  assert.deepEqual([0, 1, 3, 7, 11, 99, 281].map(niceCeiling), [1, 1, 3, 8, 20, 100, 300]);
  const {ticks, step} = timeTicks(1000, 1900, 10);
  assert.equal(step, 120);
  assert.ok(ticks.every((at) => at % 120 === 0) && ticks.length <= 10);
  for (const years of [1, 2, 60]) assert.ok(timeTicks(0, years * 31_557_600, 10).ticks.length <= 11, `${years} years`);
  assert.deepEqual(filled([{time: 60, v: 1}], 0, 180, 60, (time) => ({time, v: 0})).map((one) => one.v), [0, 1, 0]);
});

test("rows are sorted by a column, ties as they were, unknown last", () => {
  const columns = [{id: "n", value: (one) => one.n}];
  const rows = [{n: 1, id: 1}, {n: null, id: 2}, {n: 3, id: 3}, {n: 1, id: 4}];
  assert.deepEqual(sortRows(rows, columns, "-n").map((one) => one.id), [3, 1, 4, 2]);
  assert.deepEqual(sortRows(rows, columns, "n").map((one) => one.id), [1, 4, 3, 2]);
});
