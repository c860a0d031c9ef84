// Traffic over time: allowed and denied on two scales, so that one denial among 100,000 connections is visible.

import {h} from "./dom.js";
import {filled, niceCeiling, timeTicks} from "./scale.js";
import {amount, clock, day, zone} from "./text.js";

const LEFT = 46;
/** The right margin of time charts, pixels. */
export const RIGHT = 10;
const AXIS = 20;
/** The height of a folded empty strip, pixels. */
const FOLDED = 16;

/**
 * A chart of a series.
 * @param {object} ctx
 * @param {object} options `id`: unique on the page; `series`: `{interval, points: [{time, allowed, denied}]}`;
 * `range` of the answer; `measure`; `height` of the larger strip; `room`: returns the left margin for a width, pixels;
 * `isFolding`: whether an empty strip is folded to one line
 */
export function timeChart(ctx, {id, series, range, measure, height = 120, room = () => LEFT, isFolding = false}) {
  const width = ctx.ui.sizes[id];
  return h(
    "div",
    {class: "chart", key: id, ref: (node) => ctx.watchSize(id, node)},
    width > 0 &&
      drawing(
        ctx,
        {id, series, range, measure, height: heights(series, measure, height, isFolding), width, start: room(width)}
      ),
    dataTable(ctx, {id, series, measure}),
  );
}

function heights({points}, measure, height, isFolding) {
  const isEmpty = (side) => isFolding && points.every((point) => !point[side]?.[measure]);
  const denied = isEmpty("denied") ? FOLDED : Math.round(height * (isEmpty("allowed") ? 1 : 0.45));
  return {allowed: isEmpty("allowed") ? FOLDED : height, denied};
}

function drawing(ctx, {id, series, range, measure, height, width, start}) {
  const utc = ctx.utc();
  const below = height.allowed + 14;
  const total = below + height.denied + AXIS;
  const span = Math.max(1, range.until - range.since);
  const inner = Math.max(10, width - start - RIGHT);
  const x = (time) => start + ((Math.min(Math.max(time, range.since), range.until) - range.since) / span) * inner;
  const points =
    filled(series.points, range.since, range.until, series.interval, (time) => ({time, allowed: {}, denied: {}}));
  const strips = [
    {side: "allowed", top: 0, height: height.allowed},
    {side: "denied", top: below, height: height.denied},
  ];
  const {ticks, step} = timeTicks(
    range.since, range.until, Math.max(2, Math.floor(inner / 78)),
    utc ? 0 : -new Date(range.since * 1000).getTimezoneOffset() * 60
  );
  const label = `Allowed and denied ${measure} from ${ctx.stamp(range.since)} to ${
    ctx.stamp(range.until)}; the table below has the numbers`;
  return h(
    "svg",
    {
      class: "chart-drawing",
      width,
      height: total,
      viewBox: `0 0 ${width} ${total}`,
      role: "img",
      "aria-label": label,
      on: brush(ctx, {id, range, start, inner, points, interval: series.interval})
    },
    h("defs", null, hatch(`${id}-gap`, "gap-line")),
    strips.map((strip) => stripDrawing(strip, {id, points, interval: series.interval, x, start, inner, measure})),
    (range.gaps ?? [])
      .map(
        (gap) =>
          h("rect", {
            key: `gap${gap.from}`,
            class: "chart-gap",
            x: x(gap.from),
            y: 0,
            width: Math.max(1, x(gap.until) - x(gap.from)),
            height: total - AXIS,
            fill: `url(#${id}-gap)`
          },
            h("title", null, `no data from ${ctx.stamp(gap.from)} to ${ctx.stamp(gap.until)}`))
      ),
    ticks.map(
      (at) =>
        h("g", {key: `tick${at}`},
          h("line", {class: "chart-tick", x1: x(at), x2: x(at), y1: total - AXIS, y2: total - AXIS + 4}),
          x(at) > start + 22 && x(at) < width - 24 &&
            h("text", {class: "chart-label", x: x(at), y: total - 4, "text-anchor": "middle"},
              step >= 86400 ? day(at, utc) : clock(at, utc, step < 60)))
    ),
    h("text", {class: "chart-label", x: 0, y: total - 4}, zone(range.until, utc)),
    selection(ctx, id, x, total),
    pointed(ctx, {id, points, interval: series.interval, x, start, total, width, measure}),
  );
}

function stripDrawing({side, top, height}, {id, points, interval, x, start, inner, measure}) {
  const value = (point) => point[side]?.[measure] ?? 0;
  const most = Math.max(0, ...points.map(value));
  const ceiling = niceCeiling(most);
  const name = side === "allowed" ? "allow" : "deny";
  const isFolded = height <= FOLDED;
  return h(
    "g",
    {key: side},
    !isFolded && h("line", {class: "chart-grid", x1: start, x2: start + inner, y1: top + 0.5, y2: top + 0.5}),
    h("line", {class: "chart-base", x1: start, x2: start + inner, y1: top + height - 0.5, y2: top + height - 0.5}),
    isFolded ? h("text", {class: "chart-label", x: start + 6, y: top + height - 4}, "none") :
               h("text", {class: "chart-label", x: start - 6, y: top + 11, "text-anchor": "end"},
                 most > 0 ? amount(ceiling, measure) : "0"),
    h("text", {class: `chart-name ${name}`, x: start - 6, y: top + height - 3, "text-anchor": "end"},
      name === "deny" ? "DENY" : "allow"),
    points.map((point) => {
      const tall = value(point) > 0 ? Math.max(2, (value(point) / ceiling) * (height - 2)) : 0;
      const left = x(point.time);
      const wide = Math.max(1, x(point.time + interval) - left - (inner / points.length > 4 ? 1 : 0));
      return tall > 0 && h("rect", {
               key: point.time,
               class: `chart-${name}`,
               x: left.toFixed(1),
               y: (top + height - tall).toFixed(1),
               width: wide.toFixed(1),
               height: tall.toFixed(1)
             });
    }),
  );
}

/** A pattern of diagonal lines. */
export function hatch(id, className, size = 6) {
  return h(
    "pattern", {id, width: size, height: size, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
    h("rect", {class: `${className}-ground`, width: size, height: size}),
    h("line", {class: className, x1: 0, x2: 0, y1: 0, y2: size})
  );
}

function timeAt(event, range, start, inner) {
  const box = event.currentTarget.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left - start) / inner));
  return range.since + share * (range.until - range.since);
}

function brush(ctx, {id, range, start, inner, points, interval}) {
  return {
    pointerdown: (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      event.currentTarget.setPointerCapture(event.pointerId);
      const at = timeAt(event, range, start, inner);
      ctx.setUI({brush: {id, from: at, to: at}});
    },
    pointermove: (event) => {
      const at = timeAt(event, range, start, inner);
      const point = points.find((one) => at >= one.time && at < one.time + interval);
      const active = ctx.ui.brush?.id === id ? {...ctx.ui.brush, to: at} : ctx.ui.brush;
      if (point?.time !== ctx.ui.pointed?.time || active !== ctx.ui.brush)
        ctx.setUI({pointed: point ? {id, time: point.time} : null, brush: active});
    },
    pointerleave: () => ctx.setUI({pointed: null}),
    pointercancel: () => ctx.setUI({brush: null}),
    pointerup: () => {
      const drawn = ctx.ui.brush;
      ctx.setUI({brush: null});
      if (drawn?.id !== id) return;
      const [since, until] = [Math.min(drawn.from, drawn.to), Math.max(drawn.from, drawn.to)];
      if (until - since > (range.until - range.since) / 100)
        ctx.set({since: String(Math.floor(since)), until: String(Math.ceil(until))});
    },
  };
}

function selection(ctx, id, x, total) {
  const drawn = ctx.ui.brush;
  if (drawn?.id !== id) return null;
  const [from, to] = [Math.min(drawn.from, drawn.to), Math.max(drawn.from, drawn.to)];
  return h("rect", {class: "chart-brush", x: x(from), width: Math.max(1, x(to) - x(from)), y: 0, height: total - AXIS});
}

function pointed(ctx, {id, points, interval, x, start, total, width, measure}) {
  const at = ctx.ui.pointed;
  const point = at?.id === id ? points.find((one) => one.time === at.time) : undefined;
  if (!point) return null;
  const text = `${clock(point.time, ctx.utc())}  allow ${amount(point.allowed?.[measure] ?? 0, measure)}  DENY ${
    amount(point.denied?.[measure] ?? 0, measure)}`;
  const wide = text.length * 6.4 + 16;
  const middle = x(point.time + interval / 2);
  const left = Math.min(Math.max(start, middle - wide / 2), width - wide - 2);
  return h(
    "g",
    {class: "chart-pointed", "pointer-events": "none"},
    h("line", {x1: middle, x2: middle, y1: 0, y2: total - AXIS}),
    h("rect", {x: left, y: 2, width: wide, height: 20, rx: 4}),
    h("text", {x: left + wide / 2, y: 16, "text-anchor": "middle"}, text),
  );
}

function dataTable(ctx, {id, series, measure}) {
  const isOpen = ctx.ui.tables?.[id];
  return h(
    "div",
    {class: "chart-table"},
    h("button", {
      type: "button",
      class: "quiet",
      "aria-expanded": String(!!isOpen),
      on: {click: () => ctx.setUI({tables: {...ctx.ui.tables, [id]: !isOpen}})}
    },
      isOpen ? "Hide the numbers" : "Show the numbers"),
    isOpen &&
      h("table", null,
        h("thead", null,
          h("tr", null, h("th", {scope: "col"}, "Time"), h("th", {scope: "col", class: "num"}, "Allowed"),
            h("th", {scope: "col", class: "num"}, "Denied"))),
        h("tbody", null,
          series.points.map(
            (point) =>
              h("tr", {key: point.time}, h("td", null, ctx.stamp(point.time)),
                h("td", {class: "num"}, amount(point.allowed?.[measure] ?? 0, measure)),
                h("td", {class: "num"}, amount(point.denied?.[measure] ?? 0, measure)))
          ))),
  );
}
