// Encodes ends and pairs for the address and for filters.

import {both, term} from "./filter.js";
import {portText} from "./names.js";

/** Encodes an end as text for the address: `workload:yaobank/customer-*`, each part escaped. */
export function encodeEnd(end) {
  const kind = KINDS[end.kind ?? end.type] ?? "unknown";
  return `${kind}:${encodeURIComponent(end.namespace ?? "-")}/${encodeURIComponent(end.name ?? "-")}`;
}

const KINDS = {
  wep: "workload",
  hep: "host",
  ns: "network_set",
  net: "network",
  namespace: "namespace",
  workload: "workload",
  pod: "pod",
  host: "host",
  network_set: "network_set",
  network: "network",
  service: "service",
  unknown: "unknown",
};

/** Decodes an end from the address: `{kind, namespace, name}`; null for other text. */
export function decodeEnd(text) {
  const found = /^([a-z_]+):([^/]*)\/(.*)$/s.exec(text ?? "");
  if (!found || !Object.hasOwn(KINDS, found[1])) return null;
  try {
    const namespace = decodeURIComponent(found[2]);
    return {kind: found[1], namespace: namespace === "-" ? null : namespace, name: decodeURIComponent(found[3])};
  } catch {
    return null;
  }
}

const TYPES = {
  workload: "wep",
  pod: "wep",
  host: "hep",
  network_set: "ns",
  network: "net"
};

/** Returns the filter for an end on one side (`source` or `dest`); null for a service as the source. */
export function endFilter(end, side) {
  const type = TYPES[end.kind];
  const parts = [];
  if (end.kind === "service") {
    if (side === "source") return null;
    parts.push(term("dest_service_namespace", end.namespace ?? "-"), term("dest_service_name", end.name));
  } else if (end.kind === "namespace")
    parts.push(term(`${side}_namespace`, end.namespace ?? end.name));
  else {
    if (type) parts.push(term(`${side}_type`, type));
    if (end.namespace) parts.push(term(`${side}_namespace`, end.namespace));
    const isAddress = end.kind === "network" && /[.:]/.test(end.name);
    parts.push(term(isAddress ? `${side}_ip` : end.kind === "pod" ? `${side}_name` : `${side}_name_aggr`, end.name));
  }
  return parts.reduce(both, "");
}

/** Returns the filter for an end on either side. */
export function eitherFilter(end) {
  const sides = ["source", "dest"].map((side) => endFilter(end, side)).filter((one) => one !== null);
  if (sides.length === 0) return null;
  return sides.length === 1 ? sides[0] : `((${sides[0]}) || (${sides[1]}))`;
}

/** Returns the filter for traffic from one end to another, optionally at a port (`2379/tcp`). */
export function pairFilter(from, to, port = "") {
  const parts = [endFilter(from, "source"), endFilter(to, "dest")];
  const {number, proto} = decodePort(port);
  if (number) parts.push(term("dest_port", Number(number)));
  if (proto) parts.push(term("proto", proto));
  return parts.includes(null) ? null : parts.reduce(both, "");
}

/** Encodes a port and a protocol for the address. */
export function encodePort(port, proto) {
  return port === null || port === undefined ? proto ?? "" : `${port}/${proto}`;
}

function decodePort(text) {
  const [number, proto] = text.includes("/") ? text.split("/") : [null, text];
  return {number, proto: proto || null};
}

/** Formats an encoded port for users; empty for none. */
export function portOf(text) {
  const {number, proto} = decodePort(text);
  return text && portText(number, proto);
}

/** Returns the state changes that select a pair from the API. */
export function pairState(pair) {
  return {from: encodeEnd(pair.source), to: encodeEnd(pair.dest), port: encodePort(pair.dest_port, pair.proto)};
}
