// The time range menu: spans back from now, or start and end.

import {h} from "./dom.js";
import {icon} from "./icons.js";
import {button} from "./parts.js";
import {shownRange} from "./shell.js";
import {isSpan, SPAN_WORDS, SPANS} from "./state.js";
import {clock, day, span, stamp, zone} from "./text.js";

/** The button with the range, and the menu below it. */
export function timeMenu(ctx) {
  const isOpen = ctx.ui.menu === "time";
  const toggle = () => {
    ctx.setUI({menu: isOpen ? null : "time", timeError: null});
    if (!isOpen)
      requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector("#time-menu button")?.focus()));
  };
  return h(
    "div",
    {class: "menu-place", "data-menu": ""},
    h("button", {
      type: "button",
      id: "time",
      class: "button time-button",
      "aria-haspopup": "dialog",
      "aria-expanded": String(isOpen),
      on: {click: toggle}
    },
      icon("clock"), h("span", null, rangeText(ctx))),
    isOpen && menu(ctx),
  );
}

function rangeText(ctx) {
  const {since, until} = ctx.state;
  if (isSpan(since))
    return SPAN_WORDS[since] ??
      `Last ${span(Number(since.slice(0, -1)) * {s: 1, m: 60, h: 3600, d: 86400}[since.at(-1)])}`;
  const utc = ctx.utc();
  const end = until ? Number(until) : ctx.now();
  const sameDay = day(Number(since), utc) === day(end, utc);
  const today = day(ctx.now(), utc);
  const from = day(Number(since), utc) === today && sameDay ? clock(Number(since), utc) :
                                                              `${day(Number(since), utc)} ${clock(Number(since), utc)}`;
  return `${from} – ${until ? `${sameDay ? "" : `${day(end, utc)} `}${clock(end, utc)}` : "now"} ${zone(end, utc)}`;
}

function menu(ctx) {
  const range = shownRange(ctx);
  const value = (text, fallback) => stamp(/^\d+$/.test(text) ? Number(text) : fallback, ctx.utc());
  return h(
    "div",
    {id: "time-menu", class: "menu time", role: "dialog", "aria-label": "Time range"},
    h("div", {class: "spans"},
      SPANS.map(
        (one) =>
          h("button", {
            key: one,
            type: "button",
            "aria-pressed": String(ctx.state.since === one),
            on: {click: () => ctx.set({since: one, until: ""})}
          },
            SPAN_WORDS[one])
      )),
    h(
      "form",
      {class: "from-to", on: {submit: (event) => apply(ctx, event)}},
      h("label", null, "From", h("input", {
          class: "input",
          name: "from",
          value: ctx.ui.timeFrom ?? value(ctx.state.since, range?.since ?? ctx.now() - 900),
          on: {input: (event) => (ctx.ui.timeFrom = event.target.value)}
        })),
      h("label", null, "To", h("input", {
          class: "input",
          name: "to",
          value: ctx.ui.timeTo ?? value(ctx.state.until, range?.until ?? ctx.now()),
          on: {input: (event) => (ctx.ui.timeTo = event.target.value)}
        })),
      h("p", {class: "note"}, `as 2026-11-28 14:00:00, ${ctx.utc() ? "UTC" : "local time"}`),
      ctx.ui.timeError && h("p", {class: "error", role: "alert"}, ctx.ui.timeError),
      h("button", {class: "button primary"}, "Show this range"),
    ),
    range?.oldest && h("p", {class: "note"}, `Records are kept from ${ctx.stamp(range.oldest)} on.`),
    range && isSpan(ctx.state.since) &&
      button(
        "Hold this range", () => ctx.set({since: String(range.since), until: String(range.until)}), {class: "quiet"}
      ),
  );
}

function apply(ctx, event) {
  event.preventDefault();
  const form = new FormData(event.currentTarget);
  const [since, until] = [form.get("from"), form.get("to")].map((text) => readTime(text, ctx.utc()));
  if (since === null || until === null) return ctx.setUI({timeError: "A time is written as 2026-11-28 14:00:00."});
  if (since >= until) return ctx.setUI({timeError: "The range must begin before it ends."});
  Object.assign(ctx.ui, {timeFrom: undefined, timeTo: undefined, timeError: null});
  ctx.set({since: String(since), until: String(until)});
}

/** Parses a time that a user entered, to Unix seconds; null for other text. */
export function readTime(text, utc) {
  const found = /^\s*(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?\s*$/.exec(text ?? "");
  if (!found) return null;
  const [, year, month, date, hour, minute, second] = found.map((one) => Number(one ?? 0));
  const time = utc ? Date.UTC(year, month - 1, date, hour, minute, second) :
                     new Date(year, month - 1, date, hour, minute, second).getTime();
  return Number.isFinite(time) ? Math.floor(time / 1000) : null;
}
