// Starts the page: reads the state from the address and responses from the API, and draws the elements from both.

import {takeToken} from "./api.js";
import {patch} from "./dom.js";
import {emptyNeeds} from "./empty.js";
import {listenToKeys} from "./keys.js";
import {shell} from "./shell.js";
import {format, isSpan, parse, spanSeconds} from "./state.js";
import {Store} from "./store.js";
import {stamp} from "./text.js";
import * as flows from "./views/flows.js";
import * as graph from "./views/graph.js";
import * as overview from "./views/overview.js";
import * as policies from "./views/policies.js";
import * as records from "./views/records.js";
import * as timeline from "./views/timeline.js";

const views = {
  overview,
  flows,
  graph,
  policies,
  timeline,
  records
};
const STATUS = {
  name: "status",
  path: "status",
  params: {},
  isOnce: true
};
const root = document.getElementById("app");
const preferences = readPreferences();

/**
 * The context of views and parts: the state in the address, the state of the screen, the responses, and the actions.
 */
const ctx = {
  state: parse(location.search),
  ui: {
    sizes: {},
    menu: null,
    dialog: null,
    theme: preferences.theme ?? "system",
    isPaused: false,
    retryAt: 0,
    selected: -1
  },
  store: new Store(() => draw()),
  views,
  kept: {},
  go,
  set,
  setUI,
  refresh,
  watchSize,
  now: () => ctx.store.now(),
  utc: () => ctx.state.zone === "utc" || preferences.zone === "utc",
  stamp: (seconds) => stamp(seconds, ctx.utc()),
  needs: () => [...views[ctx.state.view].needs(ctx), ...emptyNeeds(ctx.state), STATUS],
  keep: (name, value) => writePreference(name, value),
};

let isDrawing = false;
let timer;

/** Draws in the next frame. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  // A hidden page gets no animation frames, so a timer is used.
  const later = document.hidden ? (work) => setTimeout(work, 50) : requestAnimationFrame;
  later(() => {
    isDrawing = false;
    patch(root, shell(ctx));
    ctx.store.ensure(ctx.needs());
    document.title = `${views[ctx.state.view].title} · Weir`;
  });
}

/** Changes to another state; the previous state stays in the history. */
function go(state, replace = false) {
  const before = ctx.state;
  ctx.state = state;
  const address = format(state);
  if (address !== format(before))
    history[replace ? "replaceState" : "pushState"]({}, "", address === "?" ? location.pathname : address);
  ctx.ui.menu = null;
  if (before.view !== state.view) {
    scrollTo(0, 0);
    ctx.ui.pointed = null;
    requestAnimationFrame(() => document.getElementById("main")?.focus({preventScroll: true}));
  }
  schedule();
  draw();
}

/** Changes parts of the state. */
function set(changes, replace = false) {
  go({...ctx.state, ...changes}, replace);
}

/** Changes the state of the screen, which is not in the address. */
function setUI(changes) {
  Object.assign(ctx.ui, changes);
  draw();
}

/** Repeats all requests of the page. */
function refresh() {
  ctx.store.ensure(ctx.needs(), true);
  schedule();
}

/** Whether the range moves with time. */
export function isMoving(state) {
  return isSpan(state.since) && !state.until;
}

function schedule() {
  clearTimeout(timer);
  const failed = ctx.store.outage(ctx.needs());
  const seconds =
    failed ? 5 : Math.min(30, Math.max(2, isSpan(ctx.state.since) ? spanSeconds(ctx.state.since) / 60 : 30));
  ctx.ui.retryAt = failed ? Date.now() + seconds * 1000 : 0;
  timer = setTimeout(() => {
    if (failed || (isMoving(ctx.state) && !ctx.ui.isPaused && !document.hidden && !ctx.ui.brush))
      ctx.store.ensure(ctx.needs(), true);
    schedule();
    draw();
  }, seconds * 1000);
}

/** Stores the width of an element, and draws again when it changes. */
function watchSize(id, node) {
  new ResizeObserver(() => {
    const width = Math.floor(node.clientWidth);
    if (node.isConnected && width > 0 && ctx.ui.sizes[id] !== width) {
      ctx.ui.sizes[id] = width;
      draw();
    }
  }).observe(node);
}

function readPreferences() {
  try {
    return JSON.parse(localStorage.getItem("weir") ?? "{}") ?? {};
  } catch {
    return {};
  }
}

function writePreference(name, value) {
  preferences[name] = value;
  try {
    localStorage.setItem("weir", JSON.stringify(preferences));
  } catch {
    // Without browser storage, the choice lasts until the page is closed.
  }
  applyTheme();
  draw();
}

ctx.preferences = preferences;

function applyTheme() {
  const theme = preferences.theme ?? "system";
  ctx.ui.theme = theme;
  document.documentElement.dataset.theme = theme;
}

addEventListener("popstate", () => {
  ctx.state = parse(location.search);
  ctx.ui.menu = null;
  schedule();
  draw();
});
addEventListener("click", (event) => {
  if (ctx.ui.menu && !event.target.closest("[data-menu]")) setUI({menu: null});
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isMoving(ctx.state) && !ctx.ui.isPaused) refresh();
});
setInterval(() => {
  if (ctx.ui.retryAt > 0 && !document.hidden) draw();
}, 1000);

takeToken();
applyTheme();
listenToKeys(ctx);
schedule();
draw();
