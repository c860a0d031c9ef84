// Draws the ring.

import {hatch} from "./chart.js";
import {h} from "./dom.js";
import {encodeEnd} from "./ends.js";
import {endParts, endText, shortenAll} from "./names.js";
import {nodesById} from "./pairlist.js";
import {bandPath, LIMITS, ribbonPath, ringLayout} from "./ring.js";
import {amount, count, visible} from "./text.js";

const cache = {
  key: null,
  layout: null
};

function layoutOf(data, measure, all, showSelf) {
  const key = [data, measure, all, showSelf];
  if (!cache.key || key.some((part, index) => part !== cache.key[index])) {
    cache.key = key;
    cache.layout = ringLayout(data, {
      measure,
      showSelf,
      maxArcs: all ? Infinity : LIMITS.arcs,
      maxRibbons: all ? Infinity : LIMITS.ribbons,
      order: (node) =>
        `${node.namespace === null || node.namespace === undefined ? "1" : `0${node.namespace}`}\u0000${node.name}`,
    });
  }
  return cache.layout;
}

/**
 * The ring of a graph. `onEnd(node)` and `onEdge(edge)` are called for clicks; `chosen` is the selected pair.
 */
export function ringDrawing(ctx, data, {chosen, onEnd, onEdge}) {
  const id = "ring";
  const {measure} = ctx.state;
  const all = ctx.state.all === "1";
  const showSelf = ctx.state.show === "self" || data.edges.every((edge) => edge.source === edge.dest);
  const layout = layoutOf(data, measure, all, showSelf);
  return h(
    "div",
    {class: "ring", key: id, ref: (node) => ctx.watchSize(id, node)},
    ctx.ui.sizes[id] > 0 && drawing(ctx, data, layout, {measure, chosen, onEnd, onEdge, width: ctx.ui.sizes[id]}),
    legend(),
    h("p", {class: "note ring-note"}, notes(ctx, data, layout, all, showSelf)),
  );
}

function notes(ctx, data, layout, all, showSelf) {
  const hasSelf = data.edges.some((edge) => edge.source === edge.dest);
  const toggleAll =
    h("button", {type: "button", class: "quiet", on: {click: () => ctx.set({all: all ? "" : "1"}, true)}},
      all ? "Show the largest only" : "Show all");
  return [
    layout.hiddenNodes > 0 && `${count(layout.hiddenNodes, "end")} folded into “other”. `,
    layout.hiddenRibbons > 0 && `${count(layout.hiddenRibbons, "ribbon")} of the smallest left out. `,
    (layout.hiddenNodes > 0 || layout.hiddenRibbons > 0 || all) && toggleAll,
    data.other.edges > 0 && ` The answer leaves out ${count(data.other.edges, "pair")}.`,
    hasSelf &&
      h("button", {type: "button", class: "quiet", on: {click: () => ctx.set({show: showSelf ? "" : "self"}, true)}},
        showSelf ? "Hide traffic within an end" : "Show traffic within an end"),
  ];
}

function legend() {
  const swatch = (name) =>
    h("svg", {width: 26, height: 12, class: "swatch", "aria-hidden": "true"},
      h("rect", {class: name, x: 1, y: 1, width: 24, height: 10}));
  return h(
    "ul", {class: "legend"}, h("li", null, swatch("ribbon allow"), "allow"),
    h("li", null, swatch("ribbon deny"), "DENY (hatched, dashed)"), h("li", null, "width: square root of the amount")
  );
}

function drawing(ctx, data, layout, {measure, chosen, onEnd, onEdge, width}) {
  const narrow = width < 480;
  const byId = nodesById(data);
  const names = shortenAll(layout.arcs.map((arc) => labelText(arc.node)), narrow ? 15 : 20);
  const longest = Math.max(...[...names.values()].map((name) => Math.min(24, name.length)));
  const labelRoom = 16 + longest * 7;
  const radius = Math.max(70, Math.min(width / 2 - labelRoom, 250));
  const height = 2 * (radius + labelRoom);
  const hot = ctx.ui.hot;
  const chosenId = chosen &&
    layout.ribbons.find((ribbon) => byId.get(ribbon.edge.source) && isChosen(byId, ribbon.edge, chosen))?.edge;
  return h(
    "svg",
    {
      class: `ring-drawing ${hot || chosenId ? "dim" : ""}`,
      width,
      height,
      viewBox: `${- width / 2} ${- height / 2} ${width} ${height}`,
      role: "group",
      "aria-label": "Ring of ends; the table beside it has the same numbers",
      on: {pointerleave: () => ctx.setUI({hot: null})}
    },
    h("defs", null, hatch("ring-deny", "deny-line", 5)),
    h("g", {class: "ribbons"},
      layout.ribbons.map(
        (ribbon) => ribbonShape(ctx, ribbon, {radius: radius - 16, byId, measure, hot, chosenId, onEdge})
      )),
    layout.groups.map(
      (group) =>
        h("path",
          {key: `group ${group.name}`, class: "band-group", d: bandPath(group.start, group.end, radius, radius + 5)})
    ),
    layout.arcs.map((arc) => arcShape(ctx, arc, {radius, names, hot, onEnd, measure, byId})),
  );
}

function labelText(node) {
  return node.kind === "namespace" || node.isOther ? visible(node.name ?? node.namespace) : endParts(node).name;
}

function isChosen(byId, edge, chosen) {
  return encodeEnd(byId.get(edge.source)) === chosen.source && encodeEnd(byId.get(edge.dest)) === chosen.dest;
}

/** The shape of a ribbon. An unchanged shape is the same object, so that pointer moves update only what changes. */
function ribbonShape(ctx, ribbon, {radius, byId, measure, hot, chosenId, onEdge}) {
  const {edge} = ribbon;
  const isHot = hot ? hot === edge || hot === edge.source || hot === edge.dest : chosenId === edge;
  const kept = ribbon.shape;
  if (kept?.radius === radius && kept.isHot === isHot) return kept.vnode;
  const vnode = ribbonPart(ctx, ribbon, {radius, byId, measure, isHot, onEdge});
  ribbon.shape = {radius, isHot, vnode};
  return vnode;
}

function ribbonPart(ctx, ribbon, {radius, byId, measure, isHot, onEdge}) {
  const {edge, action} = ribbon;
  const name = (id) => (id === "(other)" ? "other" : endText(byId.get(id)));
  const [word, side] = action === "deny" ? ["DENY", "denied"] : ["allow", "allowed"];
  const size = `${amount(edge[side][measure], measure)}${measure === "bytes" ? "" : " connections"}`;
  return h(
    "path",
    {
      key: `${action}${edge.source}\u0000${edge.dest}`,
      class: `ribbon ${action} ${isHot ? "hot" : ""}`,
      d: ribbonPath(ribbon, radius),
      on: {click: () => !edge.isFolded && onEdge(edge), pointerenter: () => ctx.setUI({hot: edge})},
    },
    h("title", null, `${name(edge.source)} to ${name(edge.dest)}: ${word} ${size}`),
  );
}

function arcShape(ctx, arc, {radius, names, hot, onEnd, measure}) {
  const {node} = arc;
  const middle = (arc.start + arc.end) / 2;
  const flip = Math.cos(middle) < 0;
  const act = () => (node.isOther ? ctx.set({all: "1"}, true) : onEnd(node));
  const text = names.get(labelText(node));
  const degrees = (middle * 180) / Math.PI + (flip ? 180 : 0);
  const wide = (arc.end - arc.start) * radius;
  const label = node.isOther ?
    node.name :
    `${endText(node)}: sent ${amount(node.sent?.[measure] ?? 0, measure)}, received ${
      amount(node.received?.[measure] ?? 0, measure)}, denied ${node.denied?.connections ?? 0} connections`;
  return h(
    "g",
    {
      key: `arc ${arc.id}`,
      class: `arc ${node.isOther ? "other" : ""} ${hot === arc.id ? "hot" : ""}`,
      role: "button",
      tabindex: 0,
      "aria-label": label,
      on: {
        click: act,
        keydown: (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), act()),
        pointerenter: () => ctx.setUI({hot: arc.id}),
        focus: () => ctx.setUI({hot: arc.id}),
        blur: () => ctx.setUI({hot: null}),
      },
    },
    h("title", null, label),
    h("path", {class: "band-end", d: bandPath(arc.start, arc.end, radius - 9, radius - 1)}),
    arc.denied > 0 && h("path", {
      class: "band-denied",
      d: bandPath(arc.start, arc.start + (arc.end - arc.start) * arc.denied, radius - 14, radius - 10)
    }),
    h("path", {class: "hit", d: bandPath(arc.start - 0.01, arc.end + 0.01, radius - 14, radius + 20)}),
    wide > 9 &&
      h("text", {
        class: "ring-label",
        x: flip ? -(radius + 11) : radius + 11,
        y: 0,
        dy: "0.33em",
        "text-anchor": flip ? "end" : "start",
        transform: `rotate(${degrees.toFixed(2)})`,
      },
        text),
  );
}
