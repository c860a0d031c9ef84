// Elements that several pages share.

import {h} from "./dom.js";
import {distinct, endParts, endText, portText} from "./names.js";
import {format} from "./state.js";
import {ago, amount, si} from "./text.js";

/** A link to a state of the page: its address can be copied, and following it does not reload the page. */
export function link(ctx, state, props, ...children) {
  const {on, ...rest} = props ?? {};
  const follow = (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey ||
        event.altKey)
      return;
    event.preventDefault();
    event.stopPropagation();
    ctx.go(state);
  };
  return h("a", {...rest, href: format(state), on: {click: follow, ...on}}, children);
}

/** A verdict as `allow` or `DENY`, with `~` if staged policies would change it. */
export function verdict(action, differs = false) {
  const isDenied = action === "deny";
  return h(
    "span",
    {class: `verdict ${
       isDenied             ? "deny" :
         action === "allow" ? "allow" :
                              "other"}`},
    isDenied ? "DENY" : action ?? "–",
    differs &&
      h("span", {
        class: "differs",
        title: "pending differs: staged policies would decide otherwise",
        "aria-label": "pending differs"
      },
        "~"),
  );
}

/** The name of an end, shortened to a width, with the full name as tooltip. */
export function endName(end, width = 44) {
  const {namespace, name, note} = endParts(end);
  const space = namespace ? distinct(namespace, Math.max(15, Math.floor(width / 2))) : null;
  return h(
    "span",
    {class: "end", title: endText(end), dir: "auto"},
    space && h("span", {class: "end-space"}, h("bdi", null, space), "/"),
    h("bdi", null, distinct(name, width)),
    note && h("span", {class: "end-note"}, ` ${note}`),
  );
}

/** `source → destination`, with the port if there is one. */
export function pairName(pair, width) {
  const arrow = h("span", {class: "arrow", "aria-label": "to"}, "→");
  return h(
    "span", {class: "pair"}, endName(pair.source, width), " ",
    h("span", {class: "pair-dest"}, arrow, " ", endName(pair.dest, width)),
    pair.proto !== undefined && h("span", {class: "port"}, portText(pair.dest_port, pair.proto))
  );
}

/** A horizontal bar of allowed and denied, on a common scale. */
export function bar(allowed, denied, most) {
  const share = (value) => `${most > 0 ? Math.max(value > 0 ? 1.5 : 0, (value / most) * 100) : 0}%`;
  return h(
    "span",
    {class: "bar", "aria-hidden": "true"},
    allowed > 0 && h("span", {class: "bar-allow", css: {width: share(allowed)}}),
    denied > 0 && h("span", {class: "bar-deny", css: {width: share(denied)}}),
  );
}

/** A titled part of a page. */
export function card(title, props, ...children) {
  const {actions, note, entry, ...rest} = props ?? {};
  return h(
    "section",
    {
      ...rest,
      class: `card ${rest.class ?? ""} ${entry?.isStale ? "stale" : ""}`,
      "aria-busy": entry?.isLoading && !entry.data ? "true" : undefined
    },
    h("header", {class: "card-head"}, h("h2", null, title), note && h("span", {class: "note"}, note),
      actions && h("div", {class: "card-actions"}, actions)),
    children,
  );
}

/** A sentence about a verdict, without the leading verdict, for places that already show it. */
export function reasonText(sentence) {
  return h("span", {dir: "auto"}, String(sentence).replace(/^(allow|deny): /, ""));
}

/** The placeholder for a pending response. */
export function loading(lines = 3) {
  return h(
    "div", {class: "skeleton", role: "status"}, h("span", {class: "sr"}, "Loading"),
    Array.from({length: lines}, () => h("div", {class: "skeleton-line"}))
  );
}

/** A message with a problem and its remedy. */
export function message(title, text, ...actions) {
  return h(
    "div", {class: "message", role: "status"}, h("p", {class: "message-title"}, title), text && h("p", null, text),
    actions.length > 0 && h("div", {class: "message-actions"}, actions)
  );
}

/** A button. */
export function button(label, act, props = {}) {
  const {class: name, ...rest} = props;
  return h("button", {type: "button", class: `button ${name ?? ""}`, on: {click: act}, ...rest}, label);
}

/** A group of options, side by side. */
export function choice(name, options, chosen, choose) {
  return h(
    "div",
    {class: "choice", role: "group", "aria-label": name},
    options.map(
      ([value, label]) =>
        h("button",
          {key: value, type: "button", "aria-pressed": String(value === chosen), on: {click: () => choose(value)}},
          label)
    ),
  );
}

/** A count with its measure, and the exact number as tooltip. */
export function number(value, measure = "connections") {
  return h(
    "span", {class: "number", title: value > 999 ? `${value}` : undefined},
    measure === "bytes" ? amount(value, "bytes") : si(value)
  );
}

/** The time when something was last seen. */
export function lastSeen(seconds, ctx) {
  return h(
    "time",
    {class: "muted", title: ctx.stamp(seconds), datetime: seconds ? new Date(seconds * 1000).toISOString() : undefined},
    ago(seconds, ctx.now())
  );
}

/** The error of an entry; null if it has none, or if the page shows it elsewhere. */
export function problem(entry, again) {
  if (!entry.error || ["connection", "permission", "filter"].includes(entry.error.kind)) return null;
  return message("This part could not be loaded", entry.error.message, button("Try again", again));
}

/** An entry's content: a skeleton before the response, the error if there is one, else the result of `draw`. */
export function content(ctx, entry, draw, lines) {
  const failure = problem(entry, () => ctx.refresh());
  if (entry.error?.kind === "filter")
    return message("The filter has an error", "It is marked above, with what is wrong there.");
  if (!entry.data) return failure ?? loading(lines);
  return [failure, draw(entry.data)];
}
