// Tables with sortable headers, cards on narrow screens, and rows that open with a click or Enter.

import {h} from "./dom.js";

/**
 * A table.
 * @param {object} options
 * `caption`: the title, for screen readers; `columns`: `{id, label, title, cell(row), value(row), isNumber,
 * class}`, sortable if they have `value`; `rows`; `key(row)`; `sort`: `-id` or `id`, with `onSort(text)`;
 * `open(row)`, `isOpen(row)`, `detail(row)`: the part below an open row; `foot`: rows of cells at the
 * end
 */
export function table(
  {caption, columns, rows, key, sort, onSort, open, isOpen, detail, foot, cards = true, className = ""}
) {
  const sorted = sort ? sortRows(rows, columns, sort) : rows;
  return h(
    "div",
    {class: `table-frame ${className}`},
    h(
      "table",
      {class: cards ? "cards" : ""},
      h("caption", {class: "sr"}, caption),
      h("thead", null, h("tr", null, columns.map((column) => head(column, sort, onSort)))),
      h("tbody", null, sorted.flatMap((row) => body(row, {columns, key, open, isOpen, detail}))),
      foot?.length > 0 &&
        h("tfoot", null,
          foot.map(
            (cells, index) =>
              h("tr", {key: index},
                columns.map(
                  (column, place) => h("td", {class: cellClass(column), "data-label": column.label}, cells[place])
                ))
          )),
    ),
  );
}

function cellClass(column) {
  return `${column.isNumber ? "num" : ""} ${column.class ?? ""}`.trim() || undefined;
}

function head(column, sort, onSort) {
  const isSorted = sort === column.id || sort === `-${column.id}`;
  const direction = isSorted ? (sort.startsWith("-") ? "descending" : "ascending") : undefined;
  const label = column.value && onSort ? h("button", {
    type: "button",
    class: "sort",
    on: {click: () => onSort(sort === `-${column.id}` ? column.id : `-${column.id}`)}
  },
                                           column.label,
                                           h("span", {class: "sort-mark", "aria-hidden": "true"},
                                             isSorted ? (direction === "descending" ? "▾" : "▴") : "")) :
                                         column.label;
  return h(
    "th", {key: column.id, scope: "col", class: cellClass(column), title: column.title, "aria-sort": direction}, label
  );
}

function body(row, {columns, key, open, isOpen, detail}) {
  const id = key(row);
  const opened = isOpen?.(row) ?? false;
  const act = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    if (event.target.closest("a, button, input") && event.target.closest("a, button, input") !== event.currentTarget)
      return;
    if (event.type === "click" && String(getSelection()) !== "") return;
    event.preventDefault();
    open(row);
  };
  const cells = columns.map(
    (column) => h("td", {key: column.id, class: cellClass(column), "data-label": column.label}, column.cell(row))
  );
  const line = h(
    "tr",
    {
      key: `row ${id}`,
      class: `${open ? "opens" : ""} ${opened ? "open" : ""}`,
      tabindex: open ? 0 : undefined,
      "data-row": open ? "" : undefined,
      "aria-expanded": detail && open ? String(opened) : undefined,
      on: open ? {click: act, keydown: act} : undefined,
    },
    cells,
  );
  return opened && detail ?
    [line, h("tr", {key: `detail ${id}`, class: "detail"}, h("td", {colspan: columns.length}, detail(row)))] :
    [line];
}

/** Sorts rows by a column; ties keep their order. */
export function sortRows(rows, columns, sort) {
  const isDown = sort.startsWith("-");
  const column = columns.find((one) => one.id === (isDown ? sort.slice(1) : sort));
  if (!column?.value) return rows;
  const order = (a, b) => {
    const [left, right] = [column.value(a), column.value(b)];
    if (left === right) return 0;
    if (left === null || left === undefined) return 1;
    if (right === null || right === undefined) return -1;
    const first = typeof left === "number" ? left - right : String(left) < String(right) ? -1 : 1;
    return isDown ? -first : first;
  };
  return [...rows].sort(order);
}
