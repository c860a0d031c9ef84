import assert from "node:assert/strict";
import {test} from "node:test";

import {h, patch} from "../../../Sources/Page/Web/dom.js";

import {FakeElement, install} from "./document.mjs";

install("http://127.0.0.1/");

const list = (keys) => h("ul", null, keys.map((key) => h("li", {key}, key)));
const root = () => document.body.appendChild(new FakeElement("div"));

/** A generator whose numbers are the same for the same seed. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

test("lists come in the order of the keys, and elements of a key stay the same", () => {
  const next = random(7);
  const place = root();
  let before = new Map();
  for (let round = 0; round < 500; round += 1) {
    const keys = Array.from({length: 12}, (_, index) => `k${index}`).filter(() => next(3) > 0);
    for (let index = keys.length - 1; index > 0; index -= 1) {
      const other = next(index + 1);
      [keys[index], keys[other]] = [keys[other], keys[index]];
    }
    patch(place, list(keys));
    const items = place.firstChild.childNodes;
    assert.deepEqual(items.map((item) => item.textContent), keys);
    const now = new Map(items.map((item) => [item.textContent, item]));
    for (const [key, item] of now)
      if (before.has(key)) assert.equal(item, before.get(key), key);
    before = now;
  }
});

test("an element stays the same while siblings are added and removed", () => {
  const place = root();
  const draw = (shows) => h("div", null, shows && h("p", null, "new"), h("input", {value: "x"}), shows ? null : "text");
  patch(place, draw(false));
  const input = place.firstChild.childNodes[0];
  patch(place, draw(true));
  assert.deepEqual(place.firstChild.childNodes.map((node) => node.tagName), ["p", "input"]);
  assert.equal(place.firstChild.childNodes[1], input);
  patch(place, draw(false));
  assert.equal(place.firstChild.childNodes[0], input);
});

test("attributes and listeners are set, changed and removed", () => {
  const place = root();
  const heard = [];
  patch(
    place, h("a", {href: "?view=flows", title: "one", on: {click: () => heard.push(1), keydown: () => heard.push(2)}})
  );
  const link = place.firstChild;
  patch(place, h("a", {href: "?view=graph", class: "x", on: {click: () => heard.push(3)}}));
  assert.equal(place.firstChild, link);
  assert.deepEqual([...link.attributes], [["href", "?view=graph"], ["class", "x"]]);
  link.listeners.handleEvent({type: "click"});
  link.listeners.handleEvent({type: "keydown"});
  assert.deepEqual(heard, [3]);
  assert.deepEqual([...link.types], ["click"]);
});

test("attributes that could run scripts are rejected", () => {
  const refused = [
    {onclick: "alert(1)"},
    {onClick: "alert(1)"},
    {innerHTML: "<b>"},
    {style: "color:red"},
    {srcdoc: "x"},
    {href: "javascript:alert(1)"},
    {href: " javascript:alert(1)"},
    {href: "https://elsewhere"},
    {href: "data:text/html,x"},
  ];
  for (const props of refused) assert.throws(() => patch(root(), h("a", props)), Error, JSON.stringify(props));
  assert.throws(() => patch(root(), h("a", {href: "//elsewhere/"})));
  assert.throws(() => patch(root(), h("a", {href: "/\\elsewhere/"})));
  assert.throws(() => patch(root(), h("img", {src: "https://elsewhere/"})));
});

test("text is not markup, and invisible characters are written out", () => {
  const place = root();
  patch(place, h("p", {title: "a\u202eb"}, "<script>alert(1)</script>", "\u200b", 0, null, false));
  assert.equal(place.firstChild.textContent, "<script>alert(1)</script>‹U+200B›0");
  assert.equal(place.firstChild.childNodes.length, 3);
  assert.equal(place.firstChild.getAttribute("title"), "a‹U+202E›b");
});
