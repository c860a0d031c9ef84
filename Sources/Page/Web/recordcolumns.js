// The columns of the record table.

import {h} from "./dom.js";
import {hitText, portText} from "./names.js";
import {endName, verdict} from "./parts.js";
import {recordEnds} from "./record.js";
import {amount, clock, day, si, visible, zone} from "./text.js";

const ALL_COLUMNS = {
  time: {
    label: "Time",
    title: "end of the interval",
    class: "nowrap",
    value: (row) => row.end_time,
    cell: (row, ctx) => h("time", {title: ctx.stamp(row.end_time)}, timeText(row.end_time, ctx))
  },
  verdict: {label: "Action", cell: (row) => verdict(row.action, pendingDiffers(row))},
  source: {label: "Source", cell: (row) => endName(recordEnds(row).source, 32)},
  dest: {label: "Destination", cell: (row) => endName(recordEnds(row).dest, 32)},
  port: {label: "Port", class: "nowrap", isNumber: true, cell: (row) => portText(row.dest_port, row.proto)},
  connections:
    {label: "Conn.", title: "connections that began", isNumber: true, cell: (row) => si(row.num_flows_started)},
  flows: {label: "Active", title: "connections that were active", isNumber: true, cell: (row) => si(row.num_flows)},
  bytes: {label: "Bytes", isNumber: true, cell: (row) => amount(both(row, "bytes"), "bytes")},
  packets: {label: "Packets", isNumber: true, cell: (row) => si(both(row, "packets"))},
  policy: {
    label: "Decided by",
    class: "policy-cell",
    cell: (row) => h("span", {title: lastHit(row) ?? ""}, hitText(lastHit(row)))
  },
  reporter: {
    label: "Rep.",
    title: "whose view it is: the source's, the destination's, or a host's that forwards",
    cell: (row) => row.reporter
  },
  service: {
    label: "Service",
    cell: (row) => (row.dest_service_name === "-" ? "–" : `${row.dest_service_namespace}/${row.dest_service_name}`)
  },
  process: {
    label: "Process",
    title: "of the reporting end",
    class: "policy-cell",
    cell: (row) => row.process_name && row.process_name !== "-" ? visible(row.process_name) : "–"
  },
  domains: {
    label: "Domains",
    title: "names that the source has looked up for the destination",
    class: "policy-cell",
    cell: (row) => (row.dest_domains ?? []).map(visible).join(", ") || "–"
  },
  source_ip: {label: "Source address", cell: (row) => row.source_ip ?? "–"},
  dest_ip: {label: "Dest. address", cell: (row) => row.dest_ip ?? "–"},
};
const DEFAULT_COLUMNS = "time,verdict,source,dest,port,connections,bytes,policy,reporter";

/** Returns the selected columns for a table. */
export function columns(ctx) {
  const names = (ctx.state.columns || DEFAULT_COLUMNS).split(",").filter((name) => name in ALL_COLUMNS);
  const offset = ctx.store.entry("records").data?.range.until ?? ctx.now();
  return names.map((name) => ({
                     id: name,
                     ...ALL_COLUMNS[name],
                     class: `col-${name} ${ALL_COLUMNS[name].class ?? ""}`,
                     cell: (row) => ALL_COLUMNS[name].cell(row, ctx),
                     label: name === "time" ? `Time ${zone(offset, ctx.utc())}` : ALL_COLUMNS[name].label,
                   }));
}

function timeText(seconds, ctx) {
  const today = day(ctx.now(), ctx.utc());
  const date = day(seconds, ctx.utc());
  return date === today ? clock(seconds, ctx.utc()) : `${date} ${clock(seconds, ctx.utc())}`;
}

/** Returns the sum of a counter in both directions; traffic that a host forwards has counters of its own. */
function both(row, counter) {
  const name = row.reporter === "fwd" ? `transit_${counter}` : counter;
  return row[`${name}_in`] + row[`${name}_out`];
}

/** Returns the hit that decided; host endpoints decide about forwarded connections. */
function lastHit(row) {
  const lists = row.policies;
  return (row.reporter === "fwd" ? lists?.transit_policies : lists?.enforced_policies)?.at(-1);
}

/** Whether staged policies would change the verdict. */
function pendingDiffers(row) {
  const hit = row.policies?.pending_policies?.at(-1);
  const action = /\|(allow|deny)(?:\||$)/.exec(hit ?? "")?.[1];
  return action !== undefined && action !== row.action;
}

/** The button with the menu of columns. */
export function columnsButton(ctx) {
  const isOpen = ctx.ui.menu === "columns";
  const chosen = (ctx.state.columns || DEFAULT_COLUMNS).split(",");
  const toggle = (name) => {
    const next =
      Object.keys(ALL_COLUMNS).filter((one) => (one === name ? !chosen.includes(one) : chosen.includes(one)));
    const text = next.join(",");
    ctx.state = {...ctx.state};
    const menu = ctx.ui.menu;
    ctx.set({columns: next.length === 0 || text === DEFAULT_COLUMNS ? "" : text}, true);
    ctx.setUI({menu});
  };
  return h(
    "div", {class: "menu-place", "data-menu": "", key: "columns"},
    h("button", {
      type: "button",
      class: "button",
      "aria-expanded": String(isOpen),
      on: {click: () => ctx.setUI({menu: isOpen ? null : "columns"})}
    },
      "Columns"),
    isOpen &&
      h("div", {class: "menu check-list", role: "group", "aria-label": "Columns"},
        Object.entries(ALL_COLUMNS)
          .map(
            ([name, column]) =>
              h("label", {key: name},
                h("input", {type: "checkbox", checked: chosen.includes(name), on: {change: () => toggle(name)}}),
                column.title && column.label.length < 7 ? `${column.label} (${column.title})` : column.label)
          ))
  );
}
