import assert from "node:assert/strict";
import {test} from "node:test";

import {ago, bytes, full, rate, si, span, stamp, visible, zone} from "../../../Sources/Page/Web/text.js";

test("counts have at most four characters and an SI letter", () => {
  const cases = [
    [0, "0"], [7, "7"], [999, "999"], [1000, "1k"], [1234, "1.2k"], [12_345, "12.3k"], [99_949, "99.9k"],
    [99_950, "100k"], [999_499, "999k"], [999_500, "1M"], [1_250_000, "1.3M"], [4e18, "4E"], [-1500, "-1.5k"],
    [null, "–"]
  ];
  for (const [value, text] of cases) assert.equal(si(value), text);
});

test("bytes have a prefix and a unit", () => {
  assert.equal(bytes(60), "60 B");
  assert.equal(bytes(1560), "1.6 kB");
  assert.equal(bytes(282_000_000), "282 MB");
});

test("small rates keep digits, and long counts groups", () => {
  assert.equal(rate(0.0421), "0.042");
  assert.equal(rate(3.2), "3.2");
  assert.equal(rate(NaN), "–");
  assert.equal(full(14_400_000), "14\u202f400\u202f000");
});

test("times are formatted in their time zone", () => {
  assert.equal(stamp(1764338400, true), "2025-11-28 14:00:00");
  assert.equal(zone(1764338400, true), "UTC");
  assert.equal(span(59), "59 s");
  assert.equal(span(7200), "2 h");
  assert.equal(ago(0, 100), "never");
});

test("invisible characters are written out", () => {
  assert.equal(visible("a\u202eb"), "a‹U+202E›b");
  assert.equal(visible("\u001b[31m\n\u200b\ufeff"), "‹U+001B›[31m‹U+000A›‹U+200B›‹U+FEFF›");
  assert.equal(visible("\u034f\u3164\ufe0f\u{e0041}"), "‹U+034F›‹U+3164›‹U+FE0F›‹U+E0041›");
  assert.equal(visible("عربي"), "عربي");
});
