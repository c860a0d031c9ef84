import assert from "node:assert/strict";
import {test} from "node:test";

import {decodeEnd, eitherFilter, encodeEnd, encodePort, pairFilter, portOf} from "../../../Sources/Page/Web/ends.js";
import {absolute, format, parse, rangeParams, toView} from "../../../Sources/Page/Web/state.js";

test("a state round-trips through its address", () => {
  const state = {
    ...parse(""),
    view: "flows",
    since: "1764337500",
    until: "1764338400",
    filter: 'a == "x&y=z #1+2"',
    measure: "bytes",
    from: "pod:a%2Fb/c",
    port: "53/udp"
  };
  assert.deepEqual(parse(format(state)), state);
  assert.equal(format(parse("")), "?");
});

test("invalid parameters have their defaults", () => {
  const state = parse(
    "?view=evil&since=yesterday&until=x&measure=pods&by=__proto__&unknown=1&__proto__=2&filter=" +
    "x".repeat(30_000)
  );
  assert.deepEqual(state, parse(""));
  assert.equal(parse("?since=15m&until=5").until, "");
});

test("another page keeps range and filter, and clears focus and record", () => {
  const state = {...parse(""), filter: "f", since: "1h", focus: "x", record: "1"};
  const next = toView(state, "records");
  assert.deepEqual([next.view, next.filter, next.since, next.focus, next.record], ["records", "f", "1h", "", ""]);
  assert.deepEqual(rangeParams(absolute(next, {since: 5, until: 9})), {since: "5", until: "9", filter: "f"});
});

test("ends with any name round-trip through their text", () => {
  for (const name of ["a/b", "x:y", "%2F", "-", "<b>", "\u202e", "日本"]) {
    const end = {kind: "workload", namespace: name === "-" ? null : name, name};
    assert.deepEqual(decodeEnd(encodeEnd(end)), end);
  }
  for (const bad of ["", "evil", "nothing:a/b", "pod:%/%", "pod:"]) assert.equal(decodeEnd(bad), null);
});

test("filters select ends and ports", () => {
  const from = {kind: "workload", namespace: "yaobank", name: "customer-*"};
  const to = {kind: "network", namespace: null, name: "10.9.8.7"};
  assert.equal(
    pairFilter(from, to, "2379/tcp"),
    'source_type == "wep" && source_namespace == "yaobank" && source_name_aggr == "customer-*" && dest_type == "net" && dest_ip == "10.9.8.7" && dest_port == 2379 && proto == "tcp"'
  );
  assert.equal(
    eitherFilter({kind: "namespace", namespace: "shop", name: "shop"}),
    '((source_namespace == "shop") || (dest_namespace == "shop"))'
  );
  const ports =
    [[2379, "tcp", "2379/tcp"], [34048, "icmp6", "type 133/icmp6"], [null, "icmp", "icmp"], [null, null, ""]];
  for (const [port, proto, text] of ports) assert.equal(portOf(encodePort(port, proto)), text);
  assert.match(pairFilter({...from, name: "a\"b'c"}, to), /source_name_aggr == "a""b'c" &&/);
});
