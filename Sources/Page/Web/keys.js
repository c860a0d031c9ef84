// Keyboard shortcuts: the same keys as in `weir top`.

import {toView, VIEWS} from "./state.js";

/** The keys and their actions, as the help lists them. */
export const KEYS = [
  ["/", "filter"],
  ["j, k", "next and previous row"],
  ["Enter", "open the row"],
  ["Esc", "back"],
  ["p", "pause and go on"],
  ["r", "refresh"],
  ["s", "sort by the next column"],
  ["g", "group"],
  ["t", "time range"],
  ["L", "lay the graph out anew"],
  ["m", "connections or bytes"],
  ["1 – 6", "pages"],
  ["?", "this list"],
];

/** Adds the key listener, which is never removed. */
export function listenToKeys(ctx) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target;
    const isTyping = target.closest?.("input, select, textarea, [contenteditable]");
    if (event.key === "Escape") return escape(ctx, event, isTyping);
    if (isTyping) return;
    const act = actions(ctx)[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actions(ctx) {
  const pages =
    Object.fromEntries(VIEWS.map((view, index) => [String(index + 1), () => ctx.go(toView(ctx.state, view))]));
  return {
    ...pages,
    "/": () => document.getElementById("filter")?.focus(),
    "?": () => ctx.setUI({dialog: ctx.ui.dialog === "keys" ? null : "keys"}),
    j: () => move(1),
    k: () => move(-1),
    p: () => ctx.setUI({isPaused: !ctx.ui.isPaused}),
    r: () => ctx.refresh(),
    t: () => {
      ctx.setUI({menu: "time"});
      requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector("#time-menu button")?.focus()));
    },
    s: () => nextSort(),
    m: () => ctx.set({measure: ctx.state.measure === "bytes" ? "connections" : "bytes"}),
    g: () => ctx.views[ctx.state.view].nextGroup?.(ctx),
    L: () => ctx.views[ctx.state.view].layOut?.(ctx),
  };
}

function escape(ctx, event, isTyping) {
  if (ctx.ui.dialog || ctx.ui.menu) {
    ctx.setUI({dialog: null, menu: null});
    event.preventDefault();
  } else if (isTyping)
    event.target.blur();
  else if (!(ctx.views[ctx.state.view].back?.(ctx) ?? false))
    return;
  else
    event.preventDefault();
}

function move(step) {
  const rows = [...document.querySelectorAll("#main [data-row]")];
  if (rows.length === 0) return;
  const at = rows.indexOf(document.activeElement.closest?.("[data-row]"));
  const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({block: "nearest"});
}

function nextSort() {
  const headers = [...document.querySelectorAll("#main th button.sort")];
  if (headers.length === 0) return;
  const at = headers.findIndex((one) => one.closest("th").hasAttribute("aria-sort"));
  headers[(at + 1) % headers.length].click();
}
