import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {test} from "node:test";

const sheet = readFileSync(new URL("../../../Sources/Page/Web/base.css", import.meta.url), "utf8");
const colours = new Map([...sheet.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(
  ([, name, light, dark]) => [name, [light, dark]]
));

/** Relative luminance and contrast as in WCAG 2.2. */
function luminance(hex) {
  const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const grounds = ["ground", "surface", "raised", "sunken"];
const texts = [
  ...["text", "muted", "allow", "deny", "accent"].flatMap((name) => grounds.map((ground) => [name, ground])),
  ["allow", "allow-soft"], ["deny", "deny-soft"], ["accent-text", "accent"], ["text", "deny-soft"]
];

test("text has a contrast of 4.5, in both themes", () => {
  for (const [name, ground] of texts)
    for (const theme of [0, 1])
      assert.ok(
        contrast(colours.get(name)[theme], colours.get(ground)[theme]) >= 4.5,
        `${name} on ${ground}, ${["light", "dark"][theme]}`
      );
});

test("lines with a meaning have a contrast of 3, in both themes", () => {
  for (const name of ["line-strong", "allow", "deny", "accent"])
    for (const ground of grounds)
      for (const theme of [0, 1])
        assert.ok(
          contrast(colours.get(name)[theme], colours.get(ground)[theme]) >= 3,
          `${name} on ${ground}, ${["light", "dark"][theme]}`
        );
});
