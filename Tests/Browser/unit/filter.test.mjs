import assert from "node:assert/strict";
import {test} from "node:test";

import {both, clauses, complete, completionPlace, indexOfByte, quote, swapEnds, term, without} from "../../../Sources/Page/Web/filter.js";

test("a quote within a value is doubled", () => {
  assert.equal(quote("a"), '"a"');
  assert.equal(quote(`a"b'c`), `"a""b'c"`);
  assert.deepEqual(clauses(`a == ${quote('x" && "y')} && b == 1`), [`a == "x"" && ""y"`, "b == 1"]);
  assert.equal(term("dest_port", 53), "dest_port == 53");
  assert.equal(term("action", "deny", true), 'action != "deny"');
});

test("clauses end at && outside of parentheses and texts", () => {
  const filter = 'a == "x && y" && (b == 1 && c == 2) && d in {"&&"}';
  assert.deepEqual(clauses(filter), ['a == "x && y"', "(b == 1 && c == 2)", 'd in {"&&"}']);
  assert.equal(without(filter, "(b == 1 && c == 2)"), 'a == "x && y" && d in {"&&"}');
});

test("filters are joined with as few parentheses as possible, and not twice", () => {
  assert.equal(both("", "a == 1"), "a == 1");
  assert.equal(both("a == 1 || b == 2", "c == 3"), "(a == 1 || b == 2) && c == 3");
  assert.equal(both("a == 1 && c == 3", "c == 3"), "a == 1 && c == 3");
});

test("fields of the source and the destination are exchanged", () => {
  assert.equal(
    swapEnds('source_ip == "1" && dest_namespace == "source_x"'), 'dest_ip == "1" && source_namespace == "dest_x"'
  );
});

test("the text at the cursor has a kind and a prefix", () => {
  const cases = [
    ["", "field", ""], ["sour", "field", "sour"], ["proto ", "operator", ""], ["proto =", "operator", "="],
    ["proto == ", "value", ""], ['proto == "t', "value", "t"], ['proto == "tcp" ', "joint", ""],
    ['proto == "tcp" && de', "field", "de"], ['proto in {"tcp", ', "value", ""], ["!(acti", "field", "acti"]
  ];
  for (const [text, kind, prefix] of cases) {
    const place = completionPlace(text, text.length);
    assert.deepEqual([place.kind, place.prefix], [kind, prefix], text);
  }
  assert.equal(completionPlace('proto == "', 10).field, "proto");
});

test("a completion replaces the text at the cursor", () => {
  const text = 'proto == "t';
  assert.deepEqual(
    complete(text, text.length, completionPlace(text, text.length), "tcp"), {text: 'proto == "tcp" ', cursor: 15}
  );
  assert.equal(complete("de", 2, completionPlace("de", 2), "dest_port").text, "dest_port ");
});

test("byte offsets are converted to indexes of the text", () => {
  assert.equal(indexOfByte("aäx", 3), 2);
  assert.equal(indexOfByte("😀x", 4), 2);
  assert.equal(indexOfByte("ab", 99), 2);
});
