// Formats the ends of connections for users: texts for networks, and shortened names.

import {visible} from "./text.js";

const HASH = /-(?=[a-z0-9]*\d)[bcdfghjklmnpqrstvwxz2456789]{6,10}(?=-(?:\*|[a-z0-9]{5})$)/;

/** Whether an address is in a private, link-local or loopback range. */
export function isPrivate(address) {
  const text = address.toLowerCase();
  if (text.includes(":")) return /^(f[cd]|fe[89ab]|::1$)/.test(text);
  const [a, b] = text.split(".").map(Number);
  return a === 10 || a === 127 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) ||
    (a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128);
}

function isAddress(text) {
  return /^\d+\.\d+\.\d+\.\d+(\/\d+)?$/.test(text) || (text.includes(":") && /^[0-9a-f:.]+(\/\d+)?$/i.test(text));
}

const CLASSES = {
  pub: "public",
  pvt: "private",
  "-": "unknown"
};

/**
 * Returns the parts of an end's name: `{namespace, name, note}`. `end` is an end of the API (`type` or `kind`,
 * `namespace`, `name`). Networks have no namespace and a note with their class.
 */
export function endParts(end) {
  const name = end.name ?? "";
  const type = end.type ?? end.kind;
  if (type === "net" || type === "network" || type === "unknown") {
    if (isAddress(name)) return {namespace: null, name, note: isPrivate(name) ? "private" : "public"};
    const word = CLASSES[name] ?? name;
    return {namespace: null, name: `${visible(word)} network`, note: null};
  }
  const namespace = end.namespace && end.namespace !== "-" ? visible(end.namespace) : null;
  if (type === "namespace") return {namespace: null, name: visible(end.namespace ?? name), note: null};
  const note = {hep: "host", host: "host", ns: "network set", network_set: "network set", service: "service"}[type] ??
    null;
  return {namespace, name: visible(name), note};
}

/** Returns an end's full name as one text: `yaobank/customer-*`, `10.9.8.7 (private)`. */
export function endText(end) {
  const {namespace, name, note} = endParts(end);
  return (namespace ? `${namespace}/${name}` : name) + (note ? ` (${note})` : "");
}

/**
 * Shortens a name to `width` characters: first the hash of a pod template, then the middle, with at least 8 characters
 * at the beginning and 6 at the end. Names that fit do not change.
 */
export function shorten(name, width) {
  let letters = Array.from(name);
  if (letters.length <= width) return name;
  const bare = name.replace(HASH, "-…");
  letters = Array.from(bare);
  if (letters.length <= width) return bare;
  const room = Math.max(15, width) - 1;
  const tail = Math.max(6, Math.floor(room * 0.4));
  return `${letters.slice(0, room - tail).join("")}…${letters.slice(-tail).join("")}`;
}

const taken = new Map();
const MOST_TAKEN = 50_000;

/**
 * Shortens a name to `width` characters, or to more if it would equal another name that was shortened before: two
 * different names never look the same.
 */
export function distinct(name, width) {
  if (taken.size > MOST_TAKEN) taken.clear();
  for (let room = width;; room += 6) {
    const cut = shorten(name, room);
    if (!taken.has(cut)) taken.set(cut, name);
    if (taken.get(cut) === name || cut === name) return cut;
  }
}

/** Shortens the names of one screen so that different names stay different: `Map` from name to shown text. */
export function shortenAll(names, width) {
  const shown = new Map();
  let open = [...new Set(names)];
  for (let room = width; open.length > 0; room += 12) {
    const groups = new Map();
    for (const name of open) {
      const cut = shorten(name, room);
      groups.set(cut, [...(groups.get(cut) ?? []), name]);
    }
    const taken = new Set(shown.values());
    open = [];
    for (const [cut, group] of groups) {
      if (group.length === 1 && !taken.has(cut))
        shown.set(group[0], cut);
      else
        open.push(...group);
    }
  }
  return shown;
}

/** Formats a port with its protocol, as commands do: `2379/tcp`, `echo request/icmp6`, `type 133/icmp6`, `icmp`. */
export function portText(port, proto) {
  if (port === null || port === undefined || proto === "icmp") return visible(proto ?? "–");
  return `${proto === "icmp6" && port <= 0xffff ? messageText(port) : port}/${visible(proto)}`;
}

/** Returns the type and the code of an ICMPv6 message, which `dest_port` contains. */
export function messageParts(port) {
  return {type: port >> 8, code: port & 0xff};
}

const MESSAGES = new Map([[128 << 8, "echo request"], [129 << 8, "echo reply"]]);

function messageText(port) {
  const {type, code} = messageParts(port);
  return MESSAGES.get(Number(port)) ?? `type ${type}${code === 0 ? "" : ` code ${code}`}`;
}

/** Parses a hit: `{index, tier, policy, action, rule}`; null for other text. */
export function readHit(hit) {
  const found = /^(-?\d+)\|([^|]*)\|(.*)\|(allow|deny|pass|log)(?:\|(-?\d+))?$/s.exec(hit ?? "");
  if (!found) return null;
  const [, index, tier, policy, action, rule] = found;
  return {index: Number(index), tier, policy, action, rule: rule === undefined ? null : Number(rule)};
}

/** Formats a hit: `application.allow-customer, end of tier`, `platform.deny-private rule 2`. */
export function hitText(hit) {
  const read = readHit(hit);
  if (!read) return hit ? visible(hit) : "no policy known";
  if (read.tier === "__PROFILE__") return `profile ${visible(read.policy.replace(/^(__PROFILE__\.|pro:)/, ""))}`;
  const place = read.rule === -1 ? `end of tier ${visible(read.tier)}` :
    read.rule === null || read.rule === -2 ? "" :
                                             `rule ${read.rule}`;
  return read.rule === -1 ? `${place} (${visible(read.policy)})` : `${visible(read.policy)} ${place}`.trim();
}
