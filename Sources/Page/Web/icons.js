// Icons, drawn with strokes in a viewBox of 20 by 20.

import {h} from "./dom.js";

const SHAPES = {
  brand: ["M2 6c3-2.4 5-2.4 8 0s5 2.4 8 0", "M2 10.5c3-2.4 5-2.4 8 0s5 2.4 8 0", "M3 16h14"],
  overview: ["M3 17V9", "M8 17V4", "M13 17v-6", "M18 17V7"],
  flows: ["M10 2.5a7.5 7.5 0 1 0 0 15a7.5 7.5 0 1 0 0-15", "M4.5 6c4 2 7 5 5 11", "M15.5 6c-5 1-9 4-12.5 5"],
  graph: [
    "M4 10m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0", "M15.5 4.5m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
    "M15.5 15.5m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0", "M5.8 9.2L13.7 5.4", "M5.8 10.8L13.7 14.6"
  ],
  policies: ["M10 2l6.5 2.5v5c0 4-2.8 7-6.5 8.5c-3.7-1.5-6.5-4.5-6.5-8.5v-5z", "M7 10l2.2 2.2L13.2 8"],
  timeline: [
    "M2 10h16", "M6 10m-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0",
    "M14 10m-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0", "M6 4v4", "M14 12v4"
  ],
  records: ["M3 4h14v12h-14z", "M3 8h14", "M3 12h14", "M8 8v8"],
  link:
    ["M8.5 11.5l3-3", "M9 6.2l1.7-1.7a3.4 3.4 0 0 1 4.8 4.8L13.8 11", "M11 13.8l-1.7 1.7a3.4 3.4 0 0 1-4.8-4.8L6.2 9"],
  check: ["M4 10.5l4 4l8-9"],
  system: ["M3 4h14v9h-14z", "M7 17h6", "M10 13v4"],
  light: [
    "M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7", "M10 1.5v2", "M10 16.5v2", "M1.5 10h2", "M16.5 10h2", "M4 4l1.4 1.4",
    "M14.6 14.6L16 16", "M4 16l1.4-1.4", "M14.6 5.4L16 4"
  ],
  dark: ["M16.5 12A7 7 0 1 1 8 3.5a5.6 5.6 0 0 0 8.5 8.5z"],
  keys: ["M2 5.5h16v9h-16z", "M5 8.5h.5", "M8 8.5h.5", "M11 8.5h.5", "M14 8.5h.5", "M6 11.8h8"],
  clock: ["M10 2.5a7.5 7.5 0 1 0 0 15a7.5 7.5 0 1 0 0-15", "M10 6v4.2l2.8 1.8"],
  filter: ["M2.5 4h15l-5.8 6.8v5L8.3 17v-6.2z"],
  close: ["M5 5l10 10", "M15 5L5 15"],
  plus: ["M10 4v12", "M4 10h12"],
  minus: ["M4 10h12"],
  fit: ["M3 7V3h4", "M17 7V3h-4", "M3 13v4h4", "M17 13v4h-4"],
  download: ["M10 3v9", "M6 8.5l4 4l4-4", "M3 16.5h14"],
};

/** An icon, hidden from screen readers. */
export function icon(name) {
  return h(
    "svg", {
      class: `icon icon-${name}`,
      viewBox: "0 0 20 20",
      width: 18,
      height: 18,
      "aria-hidden": "true",
      focusable: "false"
    },
    SHAPES[name].map((d) => h("path", {key: d, d}))
  );
}
