// Formats names and numbers for users. No DOM access: everything can be tested without a browser.

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Replaces invisible characters, and those that change the text direction, with the form `‹U+202E›`. */
export function visible(text) {
  return withoutInvisible(text, (digits) => `‹U+${digits.toUpperCase().padStart(4, "0")}›`);
}

/** Replaces each of these characters with the result of `write` for its hexadecimal number. */
export function withoutInvisible(text, write) {
  return String(text).replace(INVISIBLE, (one) => write(one.codePointAt(0).toString(16)));
}

const SI = ["", "k", "M", "G", "T", "P", "E"];

/** Formats a count with at most four characters and an SI letter: 999, 1.2k, 12.3k, 123k, 1.2M. */
export function si(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size < 1000) return trim(size < 10 && size % 1 !== 0 ? value.toFixed(1) : String(Math.round(value)));
  let power = Math.min(SI.length - 1, Math.floor(Math.log10(size) / 3));
  let scaled = value / 1000 ** power;
  if (Math.abs(scaled) >= 999.5 && power < SI.length - 1) {
    power += 1;
    scaled = value / 1000 ** power;
  }
  return trim(Math.abs(scaled) < 99.95 ? scaled.toFixed(1) : scaled.toFixed(0)) + SI[power];
}

function trim(text) {
  return text.replace(/\.0$/, "");
}

/** Formats a count with all digits, in groups of three. */
export function full(value) {
  return value === null || value === undefined ? "–" : String(value).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** Formats bytes with an SI prefix: `1.2 kB`. */
export function bytes(value) {
  const text = si(value);
  const letter = text.match(/[a-zA-Z]$/)?.[0];
  return letter ? `${text.slice(0, -1)} ${letter}B` : `${text} B`;
}

/** Formats a value of a measure, with the unit if the measure is bytes. */
export function amount(value, measure) {
  return measure === "bytes" ? bytes(value) : si(value);
}

/** Formats a count and its noun: `1 connection`, `2.1k connections`. */
export function count(value, word) {
  return `${si(value)} ${word}${value === 1 ? "" : "s"}`;
}

/** Formats a rate per second; small rates keep two digits. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  return value !== 0 && Math.abs(value) < 1 ? trim(value.toPrecision(2)) : si(value);
}

const two = (number) => String(number).padStart(2, "0");

/** Returns the parts of a time (Unix seconds) in the selected time zone. */
function parts(seconds, utc) {
  const date = new Date(seconds * 1000);
  return utc ?
    [
      date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(),
      date.getUTCSeconds()
    ] :
    [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
}

/** Formats the time of day. */
export function clock(seconds, utc, withSeconds = true) {
  if (!seconds) return "–";
  const [, , , hour, minute, second] = parts(seconds, utc);
  return withSeconds ? `${two(hour)}:${two(minute)}:${two(second)}` : `${two(hour)}:${two(minute)}`;
}

/** Formats date and time of day. */
export function stamp(seconds, utc) {
  if (!seconds) return "–";
  const [year, month, day] = parts(seconds, utc);
  return `${year}-${two(month)}-${two(day)} ${clock(seconds, utc)}`;
}

/** Formats the date as 11-28. */
export function day(seconds, utc) {
  const [, month, date] = parts(seconds, utc);
  return `${two(month)}-${two(date)}`;
}

/** Formats the offset of the selected time zone at a time: `UTC` or `+02:00`. */
export function zone(seconds, utc) {
  if (utc) return "UTC";
  const minutes = -new Date(seconds * 1000).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** Formats the approximate time since then: `4 s ago`, `9 min ago`, `3 h ago`, `2 d ago`. */
export function ago(seconds, now) {
  if (!seconds) return "never";
  return `${span(Math.max(0, now - seconds))} ago`;
}

/** Formats the approximate length of a span in seconds. */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}
