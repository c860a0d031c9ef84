// Records: the table of records, their details, and the export of the records that the filter selects.

import {download, get, stream} from "../api.js";
import {h} from "../dom.js";
import {emptyState} from "../empty.js";
import {button, card, content} from "../parts.js";
import {columns, columnsButton} from "../recordcolumns.js";
import {detail} from "../recorddetail.js";
import {rangeParams} from "../state.js";
import {table} from "../table.js";
import {count, full, si} from "../text.js";

export const title = "Records";

const PAGE = 100;

/** The requests of the page. */
export function needs(ctx) {
  const {state} = ctx;
  const list = {
    name: "records",
    path: "records",
    params: {...rangeParams(state), limit: PAGE, order: order(state)},
    isOnce: isHeld(ctx)
  };
  return [list, ...explainNeeds(state)];
}

function order(state) {
  return state.sort === "time" ? "oldest" : "newest";
}

function explainNeeds(state) {
  return state.record ? [{name: "explain-record", path: "explain", params: {id: state.record}, isOnce: true}] : [];
}

/** Whether the list is held, because a row is open, more pages are loaded, or the list is scrolled. */
function isHeld(ctx) {
  return !!ctx.state.record || scrollY > 200 || (ctx.kept.records?.pages.length ?? 0) > 0 ||
    String(getSelection()) !== "";
}

/** Esc closes the open row. */
export function back(ctx) {
  if (!ctx.state.record) return false;
  ctx.set({record: ""});
  return true;
}

/** The page. */
export function view(ctx) {
  const entry = ctx.store.entry("records");
  follow(ctx);
  return card(
    "Records",
    {entry, note: entry.data ? matchedText(entry.data) : "", actions: [columnsButton(ctx), exportButtons(ctx)]},
    content(ctx, entry, (data) => list(ctx, data), 12),
  );
}

function matchedText(data) {
  return `${data.is_complete ? "" : "at least "}${count(data.matched, "record")}`;
}

function list(ctx, data) {
  const more = pages(ctx, data);
  const rows = [...data.records, ...more.pages.flatMap((page) => page.records)];
  if (rows.length === 0) return emptyState(ctx, data.range);
  const next = more.pages.length > 0 ? more.pages.at(-1).next : data.next;
  return [
    ctx.kept.live?.count > 0 &&
      h("button", {type: "button", class: "new-records", on: {click: () => showNew(ctx)}},
        `+${si(ctx.kept.live.count)} new: show`),
    table({
      caption: "Flow records",
      rows,
      columns: columns(ctx),
      key: (row) => row.id,
      className: "records-table",
      sort: ctx.state.sort === "time" ? "time" : "-time",
      onSort: (sort) => ctx.set({sort: sort === "time" ? "time" : ""}),
      open: (row) => ctx.set({record: ctx.state.record === row.id ? "" : row.id}),
      isOpen: (row) => ctx.state.record === row.id,
      detail: (row) => detail(ctx, row),
    }),
    h("div", {class: "pager"},
      h("span", {class: "muted"},
        `${full(rows.length)} of ${data.is_complete ? "" : "at least "}${full(data.matched)}`),
      next && button(more.isLoading ? "Loading…" : `Show ${PAGE} more`, () => loadMore(ctx, data, next), {
        disabled: more.isLoading
      })),
  ];
}

function pages(ctx, data) {
  const key = JSON.stringify([rangeParams(ctx.state), data.range.until]);
  if (ctx.kept.records?.key !== key) ctx.kept.records = {key, pages: [], isLoading: false};
  return ctx.kept.records;
}

async function loadMore(ctx, data, cursor) {
  const held = ctx.kept.records;
  held.isLoading = true;
  ctx.setUI({});
  try {
    const params = {
      ...rangeParams(ctx.state),
      since: data.range.since,
      until: data.range.until,
      limit: PAGE,
      order: order(ctx.state),
      cursor
    };
    const page = await get("records", params);
    if (ctx.kept.records === held) held.pages.push(page);
  } catch (error) {
    ctx.setUI({moreError: error.message});
  }
  held.isLoading = false;
  ctx.setUI({});
}

function showNew(ctx) {
  ctx.kept.records = null;
  ctx.kept.live.count = 0;
  scrollTo(0, 0);
  ctx.set({record: ""});
  ctx.refresh();
}

/** Counts the new records while the list is held. */
function follow(ctx) {
  const isNeeded = ctx.state.view === "records" && isHeld(ctx) && !ctx.ui.isPaused && /[smhd]$/.test(ctx.state.since) &&
    order(ctx.state) === "newest";
  const live = ctx.kept.live;
  if (live && (!isNeeded || live.filter !== ctx.state.filter)) {
    live.abort.abort();
    ctx.kept.live = null;
  }
  if (!isNeeded || ctx.kept.live) return;
  const mine = {abort: new AbortController(), filter: ctx.state.filter, count: 0};
  ctx.kept.live = mine;
  stream("live", {filter: ctx.state.filter}, mine.abort.signal, (line) => {
    if (line.record) mine.count += 1;
    if (line.lost) mine.count += line.lost;
    if (ctx.state.view !== "records")
      mine.abort.abort();
    else
      ctx.setUI({});
  }).catch(() => {});
}

function exportButtons(ctx) {
  const range = ctx.store.entry("records").data?.range;
  const save = async (format, ending) => {
    const params = {...rangeParams(ctx.state), format};
    if (range) Object.assign(params, {since: range.since, until: range.until});
    try {
      await download("records", params, `weir-records.${ending}`);
    } catch (error) {
      ctx.setUI({exportError: error.message});
    }
  };
  return [
    h("button", {
      key: "ndjson",
      type: "button",
      class: "button",
      title: "All records that the filter selects, one JSON object a line",
      on: {click: () => save("ndjson", "jsonl")}
    },
      "JSON lines"),
    h("button", {
      key: "csv",
      type: "button",
      class: "button",
      title: "All records that the filter selects, as CSV",
      on: {click: () => save("csv", "csv")}
    },
      "CSV"),
    ctx.ui.exportError && h("span", {key: "error", class: "error", role: "alert"}, ctx.ui.exportError),
  ];
}
