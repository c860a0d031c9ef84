// The frame of every page: navigation, filter, time range, connection state.

import {setToken} from "./api.js";
import {h} from "./dom.js";
import {outage} from "./empty.js";
import {filterBar} from "./filterbar.js";
import {icon} from "./icons.js";
import {KEYS} from "./keys.js";
import {button, link} from "./parts.js";
import {absolute, format, toView, VIEWS} from "./state.js";
import {clock, span} from "./text.js";
import {timeMenu} from "./timemenu.js";

/** The whole page. */
export function shell(ctx) {
  const view = ctx.views[ctx.state.view];
  const failed = ctx.store.outage(ctx.needs());
  return h(
    "div",
    {class: "page"},
    h("a", {
      class: "skip",
      href: "#main",
      on: {
        click: (event) => {
          event.preventDefault();
          document.getElementById("main").focus();
        }
      }
    },
      "To the content"),
    h(
      "header",
      {class: "top"},
      h("div", {class: "top-row"}, brand(ctx), navigation(ctx), tools(ctx)),
      h("div", {class: "bar-row"}, filterBar(ctx), timeMenu(ctx), liveButton(ctx)),
    ),
    failed && h("div", {class: "outage"}, outage(ctx, failed)),
    h("main", {id: "main", tabindex: -1, "aria-label": view.title, class: `view view-${ctx.state.view}`},
      view.view(ctx)),
    footer(ctx),
    dialog(ctx),
  );
}

function brand(ctx) {
  return link(
    ctx, toView(ctx.state, "overview"), {class: "brand", "aria-label": "Weir, overview"}, icon("brand"),
    h("span", null, "Weir")
  );
}

function navigation(ctx) {
  return h(
    "nav", {class: "nav", "aria-label": "Pages"},
    VIEWS.map(
      (name) => link(
        ctx,
        toView(ctx.state, name),
        {key: name, class: "nav-link", "aria-current": name === ctx.state.view ? "page" : undefined},
        icon(name),
        h("span", null, ctx.views[name].short ?? ctx.views[name].title),
      )
    )
  );
}

const THEMES = {
  system: "light",
  light: "dark",
  dark: "system"
};

function tools(ctx) {
  const theme = ctx.ui.theme;
  return h(
    "div",
    {class: "tools"},
    h("button", {
      type: "button",
      class: "tool",
      title: "Copy a link to what is shown, with absolute times",
      "aria-label": "Copy link",
      on: {click: () => copyLink(ctx)}
    },
      icon(ctx.ui.copied === "link" ? "check" : "link")),
    h("button", {
      type: "button",
      class: "tool",
      title: `Theme: ${theme}; change to ${THEMES[theme]}`,
      "aria-label": `Theme: ${theme}`,
      on: {click: () => ctx.keep("theme", THEMES[theme])}
    },
      icon(theme)),
    h("button", {
      type: "button",
      class: "tool",
      title: "Keys (?)",
      "aria-label": "Keys",
      on: {click: () => ctx.setUI({dialog: "keys"})}
    },
      icon("keys")),
  );
}

/** Returns the range of the page's first response that has one. */
export function shownRange(ctx) {
  for (const need of ctx.needs()) {
    const range = ctx.store.entry(need.name).data?.range;
    if (range?.until) return range;
  }
  return null;
}

function copyLink(ctx) {
  const state = absolute(ctx.state, shownRange(ctx));
  copyText(ctx, "link", new URL(format(state), document.baseURI).href);
}

/** Copies a text, and shows a confirmation for a moment. */
export function copyText(ctx, what, text) {
  const done = () => {
    ctx.setUI({copied: what});
    setTimeout(() => ctx.setUI({copied: null}), 1500);
  };
  navigator.clipboard?.writeText(text).then(done, () => ctx.setUI({dialog: "copy", copyText: text}));
  if (!navigator.clipboard) ctx.setUI({dialog: "copy", copyText: text});
}

function liveButton(ctx) {
  const range = shownRange(ctx);
  const isMoving = !ctx.state.until && !/^\d+$/.test(ctx.state.since);
  const failed = ctx.store.outage(ctx.needs());
  const isPaused = ctx.ui.isPaused || !isMoving;
  const state = failed ? "no connection" : !isMoving ? "fixed range" : ctx.ui.isPaused ? "paused" : "live";
  const newest = range?.newest ? Math.min(range.newest, range.until) : null;
  const behind = newest && isMoving ? Math.max(0, range.now - range.newest) : null;
  return h(
    "div",
    {class: "live"},
    h("button", {
      type: "button",
      class: `button live-button ${state.replace(" ", "-")}`,
      "aria-pressed": String(!isPaused),
      title: isMoving ? "Pause or go on (p)" : "Back to a range that moves with time",
      on: {click: () => (isMoving ? ctx.setUI({isPaused: !ctx.ui.isPaused}) : ctx.set({since: "15m", until: ""}))},
    },
      h("span", {class: "dot", "aria-hidden": "true"}), state),
    h("span", {class: "live-note"},
      newest ? `data to ${clock(newest, ctx.utc())}${behind > 90 ? `, ${span(behind)} old` : ""}` : ""),
  );
}

function footer(ctx) {
  const status = ctx.store.entry("status").data;
  const range = shownRange(ctx);
  return h(
    "footer",
    {class: "foot"},
    h("span", null, status ? `Weir ${status.version}${status.node ? ` on ${status.node}` : ""}` : "Weir"),
    range?.oldest && h("span", null, `records from ${ctx.stamp(range.oldest)}`),
    h("button", {type: "button", class: "quiet", on: {click: () => ctx.keep("zone", ctx.utc() ? "local" : "utc")}},
      ctx.utc() ? "Times in UTC: show local" : "Local times: show UTC"),
  );
}

function dialog(ctx) {
  const content = {keys: keyList, token: tokenForm, copy: copyForm}[ctx.ui.dialog];
  if (!content) return null;
  const close = () => ctx.setUI({dialog: null});
  return h(
    "div",
    {class: "veil", key: "dialog", on: {click: (event) => event.target === event.currentTarget && close()}},
    h("div", {
      class: "dialog",
      role: "dialog",
      "aria-modal": "true",
      "aria-label": "Dialog",
      tabindex: -1,
      ref: (node) => requestAnimationFrame(() => (node.querySelector("input") ?? node).focus())
    },
      content(ctx, close)),
  );
}

function keyList(ctx, close) {
  return [
    h("h2", null, "Keys"),
    h("dl", {class: "keys"},
      KEYS.map(([key, what]) => [h("dt", {key}, h("kbd", null, key)), h("dd", {key: `${key} is`}, what)])),
    button("Close", close)
  ];
}

function copyForm(ctx, close) {
  return [
    h("h2", null, "Copy this text"),
    h("input", {class: "input wide", readonly: true, value: ctx.ui.copyText, "aria-label": "Text to copy"}),
    button("Close", close)
  ];
}

function tokenForm(ctx, close) {
  const enter = (event) => {
    event.preventDefault();
    setToken(new FormData(event.currentTarget).get("token").trim());
    close();
    ctx.refresh();
  };
  return h(
    "form", {on: {submit: enter}}, h("h2", null, "Token"),
    h("p", null, "The one of the file that weir ui was given with --token-file. It is kept until this tab is closed."),
    h("input", {class: "input wide", name: "token", type: "password", autocomplete: "off", "aria-label": "Token"}),
    h("button", {class: "button primary"}, "Use the token")
  );
}
