// A small virtual DOM. Views are functions that return trees of `h(…)`; `patch` updates the document to match a tree
// and keeps existing nodes, so that focus, scroll position, selection and open parts survive a refresh.
//
// Text is set as text nodes, and attributes are set one by one. Nothing is parsed as HTML, and invisible characters or
// those that change the text direction are escaped, so text from the cluster is harmless. Styles are set through the
// CSSOM, which a content security policy without inline styles allows.

import {visible} from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "scrollTop"]);
/** Attributes that are displayed or read by screen readers. */
const SHOWN = new Set(["title", "aria-label", "placeholder", "data-label"]);
const REFUSED = /^(on|innerhtml$|outerhtml$|src$|srcdoc$|style$|action$|formaction$|xlink:)/i;

/**
 * Describes an element.
 * @param {string} tag name of the element
 * @param {object|null} props attributes; `key` identifies an element among its siblings, `on: {click}` for listeners,
 *   `css: {"--x": 1}` for style properties, `ref(element)` is called once when the element is created
 * @param {...any} children elements, texts, numbers, arrays of these; null, undefined and false are left out
 */
export function h(tag, props, ...children) {
  return {tag, props: props ?? {}, key: props?.key, children: flatten(children, [])};
}

function flatten(items, into) {
  for (const item of items) {
    if (Array.isArray(item))
      flatten(item, into);
    else if (item !== null && item !== undefined && item !== false && item !== true) {
      into.push(typeof item === "object" ? item : {text: visible(item)});
    }
  }
  return into;
}

/** Makes the children of `root` match `vnode`. */
export function patch(root, vnode) {
  patchChildren(root, root.vChildren ?? [], [vnode], false);
  root.vChildren = [vnode];
}

class Listeners {
  handleEvent(event) {
    this[event.type]?.(event);
  }
}

function create(vnode, inSVG) {
  if (vnode.tag === undefined) return (vnode.node = document.createTextNode(vnode.text));
  const svg = inSVG || vnode.tag === "svg";
  const node = svg ? document.createElementNS(SVG, vnode.tag) : document.createElement(vnode.tag);
  vnode.node = node;
  patchChildren(node, [], vnode.children, svg && vnode.tag !== "foreignObject");
  patchProps(node, {}, vnode.props);
  vnode.props.ref?.(node);
  return node;
}

function update(old, vnode, inSVG) {
  if (old === vnode) return;
  const node = (vnode.node = old.node);
  if (vnode.tag === undefined) {
    if (old.text !== vnode.text) node.data = vnode.text;
    return;
  }
  const svg = inSVG || vnode.tag === "svg";
  patchChildren(node, old.children, vnode.children, svg && vnode.tag !== "foreignObject");
  patchProps(node, old.props, vnode.props);
}

function same(a, b) {
  return a.tag === b.tag && a.key === b.key;
}

function patchChildren(parent, olds, news, inSVG) {
  if (olds.length === 0) {
    for (const vnode of news) parent.appendChild(create(vnode, inSVG));
    return;
  }
  // The usual case in a refresh: the same children in the same order.
  if (olds.length === news.length && olds.every((old, index) => same(old, news[index]))) {
    for (const [index, vnode] of news.entries()) update(olds[index], vnode, inSVG);
    return;
  }
  const keyed = new Map();
  const loose = [];
  const byNode = new Map();
  for (const old of olds) {
    byNode.set(old.node, old);
    if (old.key !== undefined)
      keyed.set(old.key, old);
    else
      loose.push(old);
  }
  const kept = new Map();
  const used = new Set();
  let nextLoose = 0;
  for (const vnode of news) {
    let old = keyed.get(vnode.key);
    if (vnode.key === undefined) {
      const found = loose.findIndex((one, index) => index >= nextLoose && same(one, vnode));
      if (found >= 0) [old, nextLoose] = [loose[found], found + 1];
    }
    if (old && same(old, vnode) && !used.has(old)) {
      used.add(old);
      kept.set(vnode, old);
    }
  }
  // Nodes are removed first, so that the others do not move: moving would lose focus and scroll position.
  for (const old of olds)
    if (!used.has(old)) old.node.remove();
  let place = parent.firstChild;
  while (place && !byNode.has(place)) place = place.nextSibling;
  for (const vnode of news) {
    if (kept.has(vnode))
      update(kept.get(vnode), vnode, inSVG);
    else
      create(vnode, inSVG);
    if (vnode.node === place)
      place = place.nextSibling;
    else
      parent.insertBefore(vnode.node, place);
  }
}

function patchProps(node, old, props) {
  for (const name in old)
    if (!(name in props)) setProp(node, name, undefined, old[name]);
  for (const name in props)
    if (props[name] !== old[name] || PROPERTIES.has(name)) setProp(node, name, props[name], old[name]);
}

function setProp(node, name, value, old) {
  switch (name) {
    case "key":
    case "ref":
      return;
    case "on":
      return setListeners(node, value ?? {}, old ?? {});
    case "css":
      for (const one in old ?? {})
        if (!(one in (value ?? {}))) node.style.removeProperty(one);
      for (const one in value ?? {}) node.style.setProperty(one, String(value[one]));
      return;
  }
  if (REFUSED.test(name)) throw new Error(`the attribute ${name} is never set`);
  if (PROPERTIES.has(name)) {
    if (name === "scrollTop" && value === undefined) return;
    const wanted = value ?? (name === "value" ? "" : false);
    if (node[name] !== wanted) node[name] = wanted;
  } else if (value === undefined || value === null || value === false)
    node.removeAttribute(name);
  else if (name === "href" && !/^[?#]/.test(value))
    throw new Error(`not a link of this page: ${value}`);
  else
    node.setAttribute(name, value === true ? "" : SHOWN.has(name) ? visible(value) : String(value));
}

function setListeners(node, value, old) {
  node.listeners ??= new Listeners();
  for (const type in old) {
    if (!(type in value)) {
      node.removeEventListener(type, node.listeners);
      delete node.listeners[type];
    }
  }
  for (const type in value) {
    if (!(type in old)) node.addEventListener(type, node.listeners, {passive: false});
    node.listeners[type] = value[type];
  }
}
