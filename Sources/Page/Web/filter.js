// Text of the filter language: edits by clicks, and completion at the cursor. The server parses the language; this
// file implements only the part that completion needs.

/** Quotes a value in the language's form: quotes within it are doubled. */
export function quote(value) {
  return `"${String(value).replaceAll('"', '""')}"`;
}

/** Returns a condition on a field: `field == "value"`; a number is without quotes. */
export function term(field, value, negated = false) {
  return `${field} ${negated ? "!=" : "=="} ${typeof value === "number" ? String(value) : quote(value)}`;
}

/** Joins two filters with `&&`; adds parentheses only if they are needed. */
export function both(left, right) {
  if (!left) return right ?? "";
  if (!right) return left;
  if (clauses(left).includes(right)) return left;
  return `${bracket(left)} && ${bracket(right)}`;
}

function bracket(filter) {
  return clauses(filter, "||").length > 1 ? `(${filter})` : filter;
}

/** Splits a filter at `&&` (or another operator) outside of parentheses and quotes. */
export function clauses(filter, operator = "&&") {
  const parts = [];
  let depth = 0;
  let quoteMark = "";
  let start = 0;
  for (let place = 0; place < filter.length; place += 1) {
    const one = filter[place];
    if (quoteMark)
      quoteMark = one === quoteMark ? "" : quoteMark;
    else if (one === '"' || one === "'")
      quoteMark = one;
    else if (one === "(" || one === "{" || one === "[")
      depth += 1;
    else if (one === ")" || one === "}" || one === "]")
      depth -= 1;
    else if (depth === 0 && filter.startsWith(operator, place)) {
      parts.push(filter.slice(start, place).trim());
      place += operator.length - 1;
      start = place + 1;
    }
  }
  parts.push(filter.slice(start).trim());
  return parts;
}

/** Removes one of a filter's clauses. */
export function without(filter, clause) {
  return clauses(filter).filter((one) => one !== clause).join(" && ");
}

/** Swaps source and destination in a filter. */
export function swapEnds(filter) {
  return filter.replace(/\b(source|dest)(?=_[a-z])/g, (one) => (one === "source" ? "dest" : "source"));
}

const TOKEN = /\s+|"(?:[^"]|"")*"?|'(?:[^']|'')*'?|[A-Za-z_][A-Za-z0-9_]*|\d+|&&|\|\||[=!<>]=?|[^\s]/gy;

function tokens(text) {
  return [...text.matchAll(TOKEN)].map(
                                    (found) => ({text: found[0], at: found.index})
  ).filter((one) => one.text.trim() !== "");
}

const WORDS = new Set(["in", "not", "contains", "starts", "ends", "with"]);

/**
 * Returns the part at the cursor: `{kind: "field" | "operator" | "value" | "joint", from, prefix, field}`; `from` is
 * the start of the text to complete.
 */
export function completionPlace(filter, cursor) {
  const before = filter.slice(0, cursor);
  const list = tokens(before);
  const last = list.at(-1);
  const open = last && last.at + last.text.length === cursor && !/^[&|(!{,]+$/.test(last.text) ? last : undefined;
  const done = open ? list.slice(0, -1) : list;
  const from = open ? open.at : cursor;
  const prefix = open ? open.text.replace(/^["']/, "") : "";
  let expected = "field";
  let field;
  for (const {text} of done) {
    if (text === "&&" || text === "||" || text === "(" || text === "!")
      expected = "field";
    else if (/^([=!<>]=?)$/.test(text) || text === "{" || text === ",")
      expected = "value";
    else if (text === ")" || text === "}")
      expected = "joint";
    else if (expected === "field" && /^[A-Za-z_]/.test(text))
      [field, expected] = [text, "operator"];
    else if (expected === "operator" && WORDS.has(text))
      expected = text === "not" || text === "starts" || text === "ends" ? "operator" : "value";
    else if (expected === "value" && !WORDS.has(text))
      expected = "joint";
  }
  if (open && /^([=!<>]=?)$/.test(open.text)) return {kind: "operator", from, prefix, field};
  return {kind: expected, from, prefix, field};
}

export const OPERATORS = ["==", "!=", "in {", "contains", "starts with", "ends with", "<", ">", "<=", ">="];

/** Completes the text at the cursor: `{text, cursor}`. */
export function complete(filter, cursor, place, chosen) {
  const head = filter.slice(0, place.from);
  let insert = place.kind === "value" ?
    (/^\d+$/.test(chosen) && /port|bytes|packets|flows|time/.test(place.field ?? "") ? chosen : quote(chosen)) :
    chosen;
  if (!insert.endsWith("{")) insert += " ";
  const rest = filter.slice(cursor).replace(/^["']?\s*/, "");
  return {text: head + insert + rest, cursor: (head + insert).length};
}

/** Converts an offset in UTF-8 bytes, as in the API, to an index of the text. */
export function indexOfByte(text, offset) {
  let count = 0;
  let index = 0;
  for (const letter of text) {
    if (count >= offset) return index;
    const code = letter.codePointAt(0);
    count += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    index += letter.length;
  }
  return text.length;
}
