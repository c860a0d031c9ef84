// Timeline: changes and their effects on one time axis; a brush sets the time range of all pages.

import {auditEvents, changeLines, withCauses} from "../audit.js";
import {CHANGE_GROUPS, otherEvents, verdictChanges} from "../changes.js";
import {RIGHT, timeChart} from "../chart.js";
import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {card, choice, content, link, pairName, verdict} from "../parts.js";
import {endOf} from "../podgraph.js";
import {timeTicks} from "../scale.js";
import {rangeParams, toView} from "../state.js";
import {clock, count, day, zone} from "../text.js";

import {measureChoice} from "./overview.js";

export const title = "Timeline";

const LANES = [
  ["policy", "Policy changes"], ["object", "Other changes"], ["verdict", "Verdict changes"], ["finding", "Findings"],
  ["loss", "Gaps and losses"]
];
const LANE = 30;
const MOST = 200;

/** The left margin of the time axis, the same in all drawings so that events are below their traffic; pixels. */
const room = (width) => (width < 500 ? 92 : 128);

/** The requests of the page. */
export function needs(ctx) {
  const range = rangeParams(ctx.state);
  return [
    {name: "overview", path: "overview", params: range},
    {name: "changes", path: "query", params: {...range, group_by: CHANGE_GROUPS, sum: "connections", limit: 2000}},
    {name: "events", path: "timeline", params: range},
  ];
}

/** The page. */
export function view(ctx) {
  const overview = ctx.store.entry("overview");
  const changes = ctx.store.entry("changes");
  return h(
    "div", {class: "stack"},
    card(
      "Traffic", {
        entry: overview,
        note: h("span", {class: "for-mouse"}, "drag across the chart to set the time range of all pages"),
        actions: measureChoice(ctx)
      },
      content(
        ctx, overview, (data) => (data.totals.records === 0 ? emptyState(ctx, data.range) : timeChart(ctx, {
                         id: "timeline-chart",
                         series: data.series,
                         range: data.range,
                         measure: ctx.state.measure,
                         height: 90,
                         room
                       })),
        6
      )
    ),
    card(
      "What happened", {
        entry: changes,
        actions: choice(
          "Kinds",
          [
            ["", "All"], ["verdict", "Verdicts"], ["policy", "Policies"], ["object", "Objects"],
            ["finding", "Findings"], ["loss", "Losses"]
          ],
          ctx.state.show, (show) => ctx.set({show}, true)
        )
      },
      content(ctx, changes, (data) => happened(ctx, data, overview.data), 8)
    )
  );
}

/** All events of the range, newest first. */
function events(ctx, changes, overview) {
  const audits = auditEvents(ctx.store.entry("events").data);
  return [
    ...audits, ...withCauses(verdictChanges(changes), audits), ...otherEvents(overview?.findings ?? [], changes.range)
  ].sort((a, b) => b.time - a.time);
}

function happened(ctx, changes, overview) {
  const all = events(ctx, changes, overview);
  const list = all.filter((one) => !ctx.state.show || one.kind === ctx.state.show);
  if (changes.total.groups === 0 && all.length === 0)
    return h("p", {class: "calm"}, "Nothing is recorded in this time range.");
  return [
    h("div", {class: "lanes", key: "lanes", ref: (node) => ctx.watchSize("lanes", node)},
      ctx.ui.sizes.lanes > 0 && lanes(ctx, all, changes.range, ctx.ui.sizes.lanes)),
    list.length === 0 ? h("p", {class: "calm"}, "Nothing changed, and nothing was lost in this time range.") :
                        h("ol", {class: "events"}, list.slice(0, MOST).map((one, index) => eventLine(ctx, one, index))),
    list.length > MOST &&
      h("p", {class: "note"}, `The newest ${MOST} of ${list.length}. Choose a shorter time range for the others.`),
  ];
}

function lanes(ctx, all, range, width) {
  const start = room(width);
  const inner = width - start - RIGHT;
  const x = (time) =>
    start + Math.min(1, Math.max(0, (time - range.since) / Math.max(1, range.until - range.since))) * inner;
  const height = LANES.length * LANE + 22;
  const {ticks, step} = timeTicks(
    range.since, range.until, Math.max(2, Math.floor(inner / 78)),
    ctx.utc() ? 0 : -new Date(range.since * 1000).getTimezoneOffset() * 60
  );
  return h(
    "svg",
    {
      class: "lanes-drawing",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": "Events by kind over time; the list below has them"
    },
    LANES.map(
      ([kind, label], index) =>
        h("g", {key: kind}, h("text", {class: "chart-label", x: 0, y: index * LANE + 19}, label),
          h("line", {class: "chart-grid", x1: start, x2: width - RIGHT, y1: index * LANE + 15, y2: index * LANE + 15}),
          all.filter((one) => one.kind === kind)
            .slice(0, 500)
            .map((one, place) => mark(ctx, one, place, x, index * LANE + 15)))
    ),
    ticks.map(
      (at) => x(at) > start + 12 && x(at) < width - 24 &&
        h("text", {key: at, class: "chart-label", x: x(at), y: height - 4, "text-anchor": "middle"},
          step >= 86400 ? day(at, ctx.utc()) : clock(at, ctx.utc(), step < 60))
    ),
    h("text", {class: "chart-label", x: 0, y: height - 4}, zone(range.until, ctx.utc())),
  );
}

function mark(ctx, one, place, x, y) {
  const tone = one.change === "denied" || /DENY$/.test(one.change) || one.change === "error" ? "deny" :
    /allow$/.test(one.change)                                                                ? "allow" :
                                                                                               "other";
  const wide = one.until ? Math.max(6, x(one.until) - x(one.time)) : 0;
  const shape = one.until ? h("rect", {x: x(one.time), y: y - 5, width: wide, height: 10, rx: 3}) :
    tone === "deny"       ? h("path", {d: `M${x(one.time) - 6},${y + 5}h12l-6,-11z`}) :
                            h("circle", {cx: x(one.time), cy: y, r: 5});
  return h(
    "g", {key: `${one.time} ${place}`, class: `mark ${tone}`, on: {click: () => zoom(ctx, one)}},
    h("title", null, `${ctx.stamp(one.time)} ${one.change} ${one.title ?? subjectText(one)}`), shape
  );
}

function subjectText(one) {
  return one.subject ? `${one.subject.source} → ${one.subject.dest} ${one.subject.port}` : "";
}

/** Sets the time range of all pages to a range around an event. */
function zoom(ctx, one) {
  ctx.set({since: String(one.time - 120), until: String((one.until ?? one.time) + 120)});
}

function eventLine(ctx, one, index) {
  const isDenial = one.change === "denied" || one.change === "allow → DENY";
  return h(
    "li",
    {key: `${one.time} ${one.kind} ${index}`, class: "event"},
    h("time", {title: ctx.stamp(one.time)}, clock(one.time, ctx.utc())),
    h("span", {class: "event-change"},
      one.kind === "verdict" ? (isDenial ? [one.change === "denied" ? "first " : "allow → ", verdict("deny")] :
                                           ["DENY → ", verdict("allow")]) :
                               h("span", {class: "badge"}, one.change)),
    h("div", {class: "event-text", dir: "auto"},
      one.title ??
        [
          pairName({source: endOf(one.subject.source), dest: endOf(one.subject.dest)}, 44),
          h("span", {class: "port"}, one.subject.port)
        ],
      one.user && h("span", {class: "muted"}, ` by ${one.user}`), one.cause && h("div", {class: "note"}, one.cause),
      one.detail && h("div", {class: "note"}, one.detail), one.diff && h("pre", {class: "diff"}, one.diff),
      changeLines(one).map((line) => h("div", {class: "note"}, line))),
    h("span", {class: "event-side"},
      one.connections > 0 && h("span", {class: "muted number"}, count(one.connections, "connection")),
      one.filter && link(ctx, toView(ctx.state, "records", {filter: one.filter}), null, "records"),
      h("button", {type: "button", class: "quiet", on: {click: () => zoom(ctx, one)}}, "zoom")),
  );
}
