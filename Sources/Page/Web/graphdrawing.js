// Draws the service graph: boxes on a grid, edges with their verdict, panning and zooming.

import {h} from "./dom.js";
import {BOX, CELL, curve, fit, fittingHeight, overlaps, zoomed} from "./graphgeometry.js";
import {icon} from "./icons.js";
import {endParts, endText, shorten, shortenAll} from "./names.js";
import {si, visible} from "./text.js";

const MOST_LABELS = 40;

/** The graph. `onNode(node)` and `onEdge(edge)` are called for clicks. */
export function graphDrawing(ctx, drawn, places, {onNode, onEdge}) {
  const id = "graph";
  return h(
    "div", {class: "graph", key: id, ref: (node) => ctx.watchSize(id, node)},
    ctx.ui.sizes[id] > 0 && drawing(ctx, drawn, places, {onNode, onEdge, width: ctx.ui.sizes[id]}), controls(ctx),
    legend()
  );
}

function drawing(ctx, drawn, places, {onNode, onEdge, width}) {
  // On a narrow screen names stay readable; other parts of the graph are reached by panning.
  const [most, least] = width < 600 ? [460, 0.85] : [620, 0.12];
  const byId = new Map(drawn.nodes.map((node) => [node.id, node]));
  const spot = (id) => {
    const cell = places.cells.get(id);
    return {x: cell.column * CELL.width, y: cell.row * CELL.height};
  };
  const spots = [...places.cells.keys()].map(spot);
  const height = fittingHeight(spots, width, most, least);
  const view = (ctx.ui.pan ??= fit(spots, width, height, least, firstLook(drawn).map(spot)));
  const found = ctx.state.q.toLowerCase();
  const hot = ctx.ui.hotNode ?? drawn.focus?.id ?? null;
  const near = new Set(
    hot ? drawn.edges.flatMap((edge) => (edge.source === hot || edge.dest === hot ? [edge.source, edge.dest] : [])) : []
  );
  const widest =
    Math.max(1, ...drawn.edges.map((edge) => Math.sqrt(edge.allowed.connections + edge.denied.connections)));
  const edges =
    drawn.edges.map((edge) => ({edge, ...curve(spot(edge.source), spot(edge.dest), edge.source === edge.dest)}));
  const isHot = (edge) => edge.source === hot || edge.dest === hot;
  const names = shortenAll(drawn.nodes.map(nodeName), 20);
  const boxes = drawn.nodes.map((node) => ({...corner(spot(node.id)), ...BOX}));
  const ghosts = [...places.missing.keys()].filter((id) => places.cells.has(id));
  return h(
    "svg",
    {
      class: `graph-drawing ${hot || found ? "dim" : ""}`,
      width,
      height,
      viewBox: `${- view.x / view.k} ${- view.y / view.k} ${width / view.k} ${height / view.k}`,
      role: "group",
      "aria-label": "Service graph; the table below it has the same numbers",
      tabindex: 0,
      on: handlers(ctx, view, width, height),
    },
    h("g", {class: edges.length > MOST_LABELS * 2 ? "edges many" : "edges"},
      edges.map((one) => edgeShape(one, {hot: hot && isHot(one.edge), most: widest, onEdge, byId}))),
    ghosts.map((id) => h("rect", {key: `ghost ${id}`, class: "node-ghost", ...corner(spot(id)), ...BOX, rx: 8})),
    drawn.nodes.map((node) => {
      const isFound = found !== "" && endText(node).toLowerCase().includes(found);
      const name = names.get(nodeName(node));
      const isChosen = drawn.focus?.id === node.id;
      const isLit = hot === node.id || near.has(node.id) || isFound;
      return nodeShape(ctx, node, spot(node.id), {name, onNode, isHot: isLit, isChosen});
    }),
    h("g", {class: "edge-labels"}, labels(edges, boxes, hot ? isHot : null, {...view, width})),
  );
}

/** The nodes in the initial view if not all fit: the selected node, or the ends of the edge with the most denials. */
function firstLook({focus, edges, nodes}) {
  if (focus) return nodes.includes(focus) ? [focus.id] : [];
  const denials = (edge) => edge.denied.connections;
  const most = edges.reduce((one, other) => (denials(other) > denials(one) ? other : one), edges[0]);
  return most && denials(most) > 0 ? [most.source, most.dest] : [];
}

const corner = ({x, y}) => ({x: x - BOX.width / 2, y: y - BOX.height / 2});

function edgeShape({edge, path, middle}, {hot, most, onEdge, byId}) {
  const name = (id) => endText(byId.get(id) ?? {name: id});
  const label = () => `${name(edge.source)} to ${name(edge.dest)}: allow ${si(edge.allowed.connections)}, DENY ${
    si(edge.denied.connections)} connections`;
  const wide = (count) => (0.8 + (4 * Math.sqrt(count)) / most).toFixed(2);
  const {allowed, denied} = edge;
  return h(
    "g",
    {key: `${edge.source}\u0000${edge.dest}`, class: `edge ${hot ? "hot" : ""}`, on: {click: () => onEdge(edge)}},
    h("title", null, label()),
    h("path", {class: "edge-hit", d: path}),
    allowed.connections > 0 &&
      h("path", {class: "edge-line allow", d: path, "stroke-width": wide(allowed.connections)}),
    denied.connections > 0 && h("path", {
      class: "edge-line deny",
      d: path,
      "stroke-width": Math.max(2, wide(denied.connections)),
      transform: allowed.connections > 0 ? "translate(0 4)" : undefined
    }),
    denied.connections > 0 && h("path", {class: "edge-bar", d: `M${middle.x},${middle.y - 7}v14`}),
  );
}

/**
 * Labels with counts for the selected edges, or for all if there are few. No label covers another or a node. The label
 * of a partly visible edge is in its visible part.
 */
function labels(edges, boxes, isChosen, {x, k, width}) {
  const few = edges.length <= MOST_LABELS;
  const wanted = edges.filter(({edge}) => (isChosen ? isChosen(edge) : few || edge.denied.connections > 0));
  const denials = ({edge}) => edge.denied.connections;
  wanted.sort((a, b) => denials(b) - denials(a) || b.edge.allowed.connections - a.edge.allowed.connections);
  const size = Math.min(18, Math.max(11, 11 / k));
  const taken = [...boxes];
  const shapes = [];
  for (const {edge, points} of wanted.slice(0, MOST_LABELS)) {
    const allowed = edge.allowed.connections > 0 ? si(edge.allowed.connections) : "";
    const denied = edge.denied.connections > 0 ? `DENY ${si(edge.denied.connections)}` : "";
    const text = [denied, allowed].filter(Boolean).join(" · ");
    const wide = text.length * size * 0.66;
    const boxAt = ({x, y}) => ({x: x - wide / 2, y: y - size, width: wide, height: size * 1.4});
    const free = points.filter((point) => !taken.some((one) => overlaps(one, boxAt(point))));
    const isSeen = (point) => (point.x - wide / 2) * k + x >= 0 && (point.x + wide / 2) * k + x <= width;
    const place = free.find(isSeen) ?? free[0];
    if (!place) continue;
    taken.push(boxAt(place));
    const key = `${edge.source}\u0000${edge.dest}`;
    const at = {x: place.x, y: place.y, "font-size": size, "text-anchor": "middle"};
    shapes.push(h("text", {key, class: denied ? "deny" : "", ...at}, text));
  }
  return shapes;
}

function nodeName(node) {
  return node.kind === "group" ? visible(node.name) : endParts(node).name;
}

function nodeShape(ctx, node, {x, y}, {name, onNode, isHot, isChosen}) {
  const {namespace, note} =
    endParts(node.kind === "group" ? {kind: "workload", namespace: null, name: node.name} : node);
  const act = () => onNode(node);
  const ends = `${node.count} end${node.count === 1 ? "" : "s"}`;
  const sub = node.kind === "group" ? ends : namespace ?? note ?? "";
  const label = `${node.kind === "group" ? `${node.name}, ${ends}, unfold` : endText(node)}; denied ${
    node.denied?.connections ?? 0} connections`;
  return h(
    "g",
    {
      key: `node ${node.id}`,
      class: `node ${node.kind} ${isHot ? "hot" : ""} ${isChosen ? "chosen" : ""} ${
        node.denied?.connections > 0 ? "denied" : ""}`,
      role: "button",
      tabindex: 0,
      "aria-label": label,
      transform: `translate(${x} ${y})`,
      "data-node": node.id,
      on: {
        click: act,
        keydown: (event) =>
          (event.key === "Enter" || event.key === " ") && (event.preventDefault(), event.stopPropagation(), act()),
        pointerenter: () => ctx.setUI({hotNode: node.id}),
        pointerleave: () => ctx.setUI({hotNode: null}),
      },
    },
    h("title", null, label),
    h("rect", {class: "node-box", x: -BOX.width / 2, y: -BOX.height / 2, ...BOX, rx: 8}),
    h("text", {class: "node-name", x: -BOX.width / 2 + 10, y: sub ? -2 : 4}, name),
    sub && h("text", {class: "node-sub", x: -BOX.width / 2 + 10, y: 12}, shorten(sub, 25)),
  );
}

function handlers(ctx, view, width, height) {
  const pan = (dx, dy) => ctx.setUI({pan: {...view, x: view.x + dx, y: view.y + dy}});
  const moves = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60]};
  return {
    keydown: (event) => {
      if (event.key in moves)
        pan(...moves[event.key]);
      else if (event.key === "+" || event.key === "-")
        ctx.setUI({pan: zoomed(view, event.key === "+" ? 1.25 : 0.8, width / 2, height / 2)});
      else if (event.key === "0")
        ctx.setUI({pan: null});
      else
        return;
      event.preventDefault();
    },
    wheel: (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = event.currentTarget.getBoundingClientRect();
      ctx.setUI({
        pan:
          zoomed(ctx.ui.pan ?? view, Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top)
      });
    },
    pointerdown: (event) => {
      if (event.button === 0 && !event.target.closest(".node, .edge")) {
        event.currentTarget.setPointerCapture(event.pointerId);
        ctx.ui.drag = {x: event.clientX, y: event.clientY};
      }
    },
    pointermove: (event) => {
      if (!ctx.ui.drag) return;
      const now = ctx.ui.pan ?? view;
      ctx.setUI({
        pan: {...now, x: now.x + event.clientX - ctx.ui.drag.x, y: now.y + event.clientY - ctx.ui.drag.y},
        drag: {x: event.clientX, y: event.clientY}
      });
    },
    pointerup: () => (ctx.ui.drag = null),
    pointercancel: () => (ctx.ui.drag = null),
  };
}

function controls(ctx) {
  const zoom = (factor) => () => {
    const width = ctx.ui.sizes.graph ?? 600;
    if (ctx.ui.pan) ctx.setUI({pan: zoomed(ctx.ui.pan, factor, width / 2, 300)});
  };
  const tool = (name, label, act) =>
    h("button", {key: name, type: "button", class: "tool", title: label, "aria-label": label, on: {click: act}},
      icon(name));
  return h(
    "div", {class: "graph-controls"}, tool("plus", "Closer (+, or Ctrl and wheel)", zoom(1.25)),
    tool("minus", "Farther (-)", zoom(0.8)), tool("fit", "All of it (0)", () => ctx.setUI({pan: null}))
  );
}

function legend() {
  const line = (name) =>
    h("svg", {width: 34, height: 12, "aria-hidden": "true"},
      h("path", {class: `edge-line ${name}`, d: "M1,6h32", "stroke-width": 2.5}),
      name === "deny" && h("path", {class: "edge-bar", d: "M17,1v10"}));
  return h(
    "ul", {class: "legend"}, h("li", null, line("allow"), "allow"),
    h("li", null, line("deny"), "DENY (dashed, with a bar)"), h("li", null, "width: square root of connections")
  );
}
