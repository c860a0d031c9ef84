import assert from "node:assert/strict";
import {test} from "node:test";

import {distinct, endText, hitText, isPrivate, portText, readHit, shorten, shortenAll} from "../../../Sources/Page/Web/names.js";

test("networks have an address and a class, or only a class", () => {
  assert.equal(endText({type: "net", namespace: null, name: "10.9.8.7"}), "10.9.8.7 (private)");
  assert.equal(endText({type: "net", namespace: null, name: "198.51.100.7"}), "198.51.100.7 (public)");
  assert.equal(endText({type: "net", namespace: null, name: "fd77::9"}), "fd77::9 (private)");
  assert.equal(endText({type: "net", namespace: "-", name: "pvt"}), "private network");
  assert.equal(endText({type: "wep", namespace: "shop", name: "web-*"}), "shop/web-*");
  assert.equal(endText({type: "hep", namespace: "-", name: "node-1"}), "node-1 (host)");
});

test("addresses of private ranges are private", () => {
  for (const one of
         ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "127.0.0.1", "100.64.0.1",
          "fe80::1", "fd00::1", "::1"])
    assert.ok(isPrivate(one), one);
  for (const one of ["11.0.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2001:db8::1"])
    assert.ok(!isPrivate(one), one);
});

test("names are shortened at the hash first, then in the middle", () => {
  assert.equal(shorten("database-69f6f4db5b-*", 30), "database-69f6f4db5b-*");
  assert.equal(shorten("database-69f6f4db5b-*", 15), "database-…-*");
  const cut = shorten(`begin-${"x".repeat(240)}-end-77`, 20);
  assert.equal(Array.from(cut).length, 20);
  assert.ok(cut.startsWith("begin-xx") && cut.endsWith("end-77"));
});

test("different names remain distinct in a list", () => {
  const names = [
    "customer-856cd6d9f5-*", "customer-69f6f4db5b-*", `${"x".repeat(252)}y`, "x".repeat(253), "a",
    `p${"q".repeat(60)}r`, `p${"q".repeat(61)}r`
  ];
  const shown = shortenAll(names, 15);
  assert.equal(new Set(shown.values()).size, names.length);
  assert.equal(shown.get("a"), "a");
});

test("names that are shortened one by one remain distinct", () => {
  const names = ["api-856cd6d9f5-*", "api-69f6f4db5b-*", `${"z".repeat(252)}y`, "z".repeat(253), "z".repeat(240)];
  const cut = names.map((name) => distinct(name, 12));
  assert.equal(new Set(cut).size, names.length);
  assert.deepEqual(names.map((name) => distinct(name, 12)), cut);
  assert.equal(cut[0], "api-…-*");
});

test("hits are parsed, and hits and ports are formatted", () => {
  assert.deepEqual(
    readHit("3|application|yaobank/application.allow-customer|deny|-1"),
    {index: 3, tier: "application", policy: "yaobank/application.allow-customer", action: "deny", rule: -1}
  );
  assert.equal(readHit("nonsense"), null);
  assert.equal(
    hitText("3|application|yaobank/application.allow-customer|deny|-1"),
    "end of tier application (yaobank/application.allow-customer)"
  );
  assert.equal(hitText("1|platform|platform.deny-private|deny|2"), "platform.deny-private rule 2");
  assert.equal(hitText(undefined), "no policy known");
  assert.equal(portText(null, "icmp"), "icmp");
  assert.equal(portText(53, "udp"), "53/udp");
});

// The same as in Tests/FlowModelTests/PortNameTests.swift.
test("messages of ICMPv6 have their names, not a port", () => {
  assert.equal(portText(128 << 8, "icmp6"), "echo request/icmp6");
  assert.equal(portText(129 << 8, "icmp6"), "echo reply/icmp6");
  assert.equal(portText(34048, "icmp6"), "type 133/icmp6");
  assert.equal(portText("34048", "icmp6"), "type 133/icmp6");
  assert.equal(portText(260, "icmp6"), "type 1 code 4/icmp6");
  assert.equal(portText(32769, "icmp6"), "type 128 code 1/icmp6");
  assert.equal(portText(65536, "icmp6"), "65536/icmp6");
  assert.equal(portText(7, "icmp"), "icmp");
});
