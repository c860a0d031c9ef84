// The state in the address: the page, the time range, the filter and the selection. A link shows other users the same
// page.

export const VIEWS = ["overview", "flows", "graph", "policies", "timeline", "records"];
export const SPANS = ["1m", "5m", "15m", "1h", "6h", "24h", "7d"];
export const SPAN_WORDS = {
  "1m": "Last minute",
  "5m": "Last 5 minutes",
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "6h": "Last 6 hours",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
};

const DEFAULTS = {
  view: "overview",
  since: "15m",
  until: "",
  filter: "",
  measure: "connections",
  by: "",
  focus: "",
  from: "",
  to: "",
  port: "",
  sort: "",
  columns: "",
  record: "",
  show: "",
  q: "",
  all: "",
  hide: "",
  zone: "",
};

const VALID = {
  view: (value) => VIEWS.includes(value),
  since: (value) => isSpan(value) || isTime(value),
  until: (value) => isTime(value),
  measure: (value) => value === "connections" || value === "bytes",
  by: (value) => ["namespace", "workload", "pod", "service"].includes(value),
  zone: (value) => value === "utc",
};

const LONGEST = 20_000;

/** Whether a text is a span of time back from now, such as `15m`. */
export function isSpan(text) {
  return /^[1-9]\d{0,5}[smhd]$/.test(text);
}

/** Whether a text is a time in Unix seconds. */
export function isTime(text) {
  return /^\d{1,12}$/.test(text);
}

/** Returns the length of a span in seconds. */
export function spanSeconds(text) {
  return Number(text.slice(0, -1)) * {s: 1, m: 60, h: 3600, d: 86400}[text.at(-1)];
}

/** Parses the query of an address. Values that are unknown, too long or invalid have their defaults. */
export function parse(search) {
  const state = {...DEFAULTS};
  for (const [name, value] of new URLSearchParams(search)) {
    if (!Object.hasOwn(DEFAULTS, name) || value.length > LONGEST) continue;
    if (value === "" || !VALID[name] || VALID[name](value)) state[name] = value === "" ? DEFAULTS[name] : value;
  }
  if (isSpan(state.since)) state.until = "";
  return state;
}

/** Returns the query of a state's address, without defaults; `?` for the default state. */
export function format(state) {
  const query = new URLSearchParams();
  for (const name in DEFAULTS)
    if (state[name] && state[name] !== DEFAULTS[name]) query.set(name, state[name]);
  return `?${query}`;
}

/** The state of a single page, which is reset when another page is opened. */
const OF_PAGE = {
  by: "",
  focus: "",
  from: "",
  to: "",
  port: "",
  sort: "",
  record: "",
  show: "",
  q: "",
  all: "",
  hide: ""
};

/** Returns the state of another page with the same time range and filter. */
export function toView(state, view, changes = {}) {
  return {...state, ...OF_PAGE, view, ...changes};
}

/** Returns a state with absolute times, for a link that shows the same data later. `range` is a response's range. */
export function absolute(state, range) {
  if (!range) return state;
  return {...state, since: String(range.since), until: String(range.until)};
}

/** Returns the parameters of a request for the state's range and filter. */
export function rangeParams(state) {
  const params = {since: state.since};
  if (state.until) params.until = state.until;
  if (state.filter) params.filter = state.filter;
  return params;
}
