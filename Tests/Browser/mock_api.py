"""Answers of /api/v1 over the mock's records, as docs/api.md describes them."""

from collections import defaultdict

import mock_words
from mock_data import KEY_FIELDS
from mock_policies import Policies
from mock_select import FIELDS, BadRequest, Selection
from mock_timeline import Timeline

MEASURES = {
    "records": lambda s: 1,
    "connections": lambda s: s[3],
    "flows": lambda s: s[2],
    "completed": lambda s: s[4],
    "bytes": lambda s: s[0] + s[1],
    "bytes_in": lambda s: s[0],
    "bytes_out": lambda s: s[1],
    "packets": lambda s: s[5] + s[6],
    "packets_in": lambda s: s[5],
    "packets_out": lambda s: s[6],
    "transit_bytes": lambda s: s[7] + s[8],
    "transit_packets": lambda s: s[9] + s[10],
}


class API(Policies, Selection, Timeline):
    """Answers requests about one data set."""

    # The endpoints

    def overview(self, query):
        span, chosen = self.select(query)
        pairs = self.pairs(chosen)
        interval = next(
            (step for step in (10, 60, 300, 600, 3600, 21600, 86400) if (span["until"] - span["since"]) / step <= 90),
            86400,
        )
        buckets = defaultdict(list)
        for index in chosen:
            buckets[self.data.records[index][1] // interval * interval].append(index)
        points = []
        for time, indexes in sorted(buckets.items()):
            allowed, denied = self.sum(self.pairs(indexes))
            points.append({"time": time, "allowed": allowed, "denied": denied})
        allowed, denied = self.sum(pairs)
        recent = [index for index in chosen if self.data.records[index][1] > span["until"] - 60]
        now_allowed, now_denied = self.sum(self.pairs(recent))
        differs = sum(pair["pending"]["differs"] for pair in pairs)
        findings = self.findings(query)["findings"]
        rates = {
            "seconds": 60,
            "allowed_connections": now_allowed["connections"] / 60,
            "denied_connections": now_denied["connections"] / 60,
            "bytes": (now_allowed["bytes"] + now_denied["bytes"]) / 60,
        }
        sentence = f"{rates['allowed_connections']:.0f} connections/s allowed, {rates['denied_connections']:.2g}/s denied, {rates['bytes'] / 1e6:.2g} MB/s; nothing lost; {len(findings)} finding{'s' * (len(findings) != 1)}"
        denied_pairs = sorted(
            (pair for pair in pairs if pair["denied"]["connections"]),
            key=lambda pair: (-pair["denied"]["connections"], -pair["last_seen"]),
        )
        talkers = sorted(pairs, key=lambda pair: -pair["allowed"]["bytes"] - pair["denied"]["bytes"])
        return {
            "range": span,
            "sentence": sentence,
            "rates": rates,
            "series": {"interval": interval, "points": points},
            "totals": {
                "allowed": allowed,
                "denied": denied,
                "records": len(chosen),
                "pending_differs": {"connections": differs},
            },
            "top_denied": [
                {"pair": self.bare(pair), "reason": mock_words.reason(pair["_record"])} for pair in denied_pairs[:20]
            ],
            "top_talkers": [{"pair": self.bare(pair)} for pair in talkers[:20]],
            "findings": findings,
        }

    @staticmethod
    def bare(pair):
        return {name: value for name, value in pair.items() if name != "_record"}

    @staticmethod
    def sum(pairs):
        return tuple(
            {name: sum(pair[side][name] for pair in pairs) for name in ("connections", "bytes", "packets")}
            for side in ("allowed", "denied")
        )

    def graph(self, query):
        span, chosen = self.select(query)
        by = query.get("by", "namespace")
        if by not in ("namespace", "workload", "service"):
            raise BadRequest("bad_parameter", f"'{by}' is none of namespace, workload, service", parameter="by")
        limit = int(query.get("limit", 2000))
        edges, nodes = {}, {}
        for pair in self.pairs(chosen, "workload" if by == "service" else by):
            key = pair["source"]["id"], pair["dest"]["id"]
            edge = edges.setdefault(
                key,
                {
                    "source": key[0],
                    "dest": key[1],
                    "allowed": defaultdict(int),
                    "denied": defaultdict(int),
                    "pending": defaultdict(int),
                    "ports": [],
                    "last_seen": 0,
                    "filter": pair["filter"],
                },
            )
            for side in ("allowed", "denied", "pending"):
                for name, value in pair[side].items():
                    edge[side][name] += value
            edge["ports"].append(
                {
                    "dest_port": pair["dest_port"],
                    "proto": pair["proto"],
                    "allowed": pair["allowed"]["connections"],
                    "denied": pair["denied"]["connections"],
                }
            )
            edge["last_seen"] = max(edge["last_seen"], pair["last_seen"])
            total = {name: pair["allowed"][name] + pair["denied"][name] for name in ("connections", "bytes")}
            for prefix, direction in (("source", "sent"), ("dest", "received")):
                end = pair[prefix]
                kinds = {
                    "wep": "pod" if by == "pod" else "workload",
                    "hep": "host",
                    "ns": "network_set",
                    "net": "network",
                }
                node = nodes.setdefault(
                    end["id"],
                    {
                        "id": end["id"],
                        "kind": kinds.get(end["type"], end["type"]),
                        "namespace": end["namespace"],
                        "name": end["name"],
                        "sent": {"connections": 0, "bytes": 0},
                        "received": {"connections": 0, "bytes": 0},
                        "denied": {"connections": 0},
                    },
                )
                for name, value in total.items():
                    node[direction][name] += value
                node["denied"]["connections"] += pair["denied"]["connections"]
        rows = sorted(
            edges.values(),
            key=lambda edge: (
                -int(edge["denied"]["connections"] > 0),
                -edge["allowed"]["connections"] - edge["denied"]["connections"],
            ),
        )
        kept, rest = rows[:limit], rows[limit:]
        named = {edge["source"] for edge in kept} | {edge["dest"] for edge in kept}
        allowed, denied = self.sum(rows)
        other_allowed, other_denied = self.sum(rest)
        return {
            "range": span,
            "by": by,
            "nodes": [node for node in nodes.values() if node["id"] in named],
            "edges": kept,
            "other": {"edges": len(rest), "allowed": other_allowed, "denied": other_denied},
            "total": {"allowed": allowed, "denied": denied},
        }

    def value(self, record, name):
        if name in ("rule", "pending_rule", "pending_action"):
            hits = (record["policies"] or {}).get("enforced_policies" if name == "rule" else "pending_policies")
            return None if not hits else hits[-1].split("|")[-2] if name == "pending_action" else hits[-1]
        if name in ("source", "dest"):
            return f"{record[f'{name}_namespace']}/{record[f'{name}_name_aggr']}"
        if name not in FIELDS:
            raise BadRequest("bad_parameter", f"'{name}' is no group", parameter="group_by")
        return record[name]

    def query(self, query):
        span, chosen = self.select(query)
        names = [name for name in query.get("group_by", "").split(",") if name]
        measures = query.get("sum", "connections,bytes").split(",")
        groups, by_key = {}, {}
        for index in chosen:
            key, end, *sums = self.data.records[index]
            record = self.data.keys[key]
            if key not in by_key:
                values = (self.value(record, name) for name in names)
                by_key[key] = tuple(None if value is None else str(value) for value in values)
            group = groups.setdefault(by_key[key], {"sums": [0] * len(measures), "first_seen": end, "last_seen": end})
            for place, measure in enumerate(measures):
                side, _, plain = (
                    measure.partition("_") if measure.startswith(("allowed_", "denied_")) else ("", "", measure)
                )
                if not side or (side == "denied") == (record["action"] == "deny"):
                    group["sums"][place] += MEASURES[plain](sums)
            group["first_seen"], group["last_seen"] = min(group["first_seen"], end), max(group["last_seen"], end)
        rows = sorted(
            ({"group": list(group), **value} for group, value in groups.items()), key=lambda row: -row["sums"][0]
        )
        limit = int(query.get("limit", 20))
        add = lambda some: [sum(row["sums"][place] for row in some) for place in range(len(measures))]
        return {
            "range": span,
            "group_by": names,
            "sum": measures,
            "interval": None,
            "rows": rows[:limit],
            "other": {"groups": len(rows[limit:]), "sums": add(rows[limit:])},
            "total": {"groups": len(rows), "sums": add(rows)},
        }

    def records(self, query):
        span, chosen = self.select(query)
        if query.get("order", "newest") == "newest":
            chosen = chosen[::-1]
        start = 0
        if query.get("cursor"):
            start = next(
                (place + 1 for place, index in enumerate(chosen) if query["cursor"].endswith(f"-{index}")), len(chosen)
            )
        if query.get("format") in ("ndjson", "csv"):
            return [self.data.record(index) for index in chosen]
        limit = int(query.get("limit", 100))
        page = chosen[start : start + limit]
        records = [self.data.record(index) for index in page]
        more = start + limit < len(chosen)
        return {
            "range": span,
            "records": records,
            "next": records[-1]["id"] if more else None,
            "matched": len(chosen),
            "is_complete": True,
        }

    def explain(self, query):
        if query.get("id"):
            index = int(query["id"].rsplit("-", 1)[-1])
            if not 0 <= index < len(self.data.records):
                raise BadRequest("not_found", "no such record", 404)
            return mock_words.explain(self.data.record(index))
        _, chosen = self.select(query)
        if not chosen:
            raise BadRequest("not_found", "no record matches", 404)
        best = max(
            chosen,
            key=lambda index: (
                self.data.keys[self.data.records[index][0]]["action"] == "deny",
                self.data.records[index][1],
            ),
        )
        return mock_words.explain(self.data.record(best))

    def findings(self, query):
        span, chosen = self.select(query)
        found = []
        differing = [pair for pair in self.pairs(chosen) if pair["pending"]["differs"]]
        if differing:
            count = sum(pair["pending"]["differs"] for pair in differing)
            first = differing[0]
            found.append(
                {
                    "id": "pending-differs",
                    "severity": "warning",
                    "kind": "pending",
                    "title": f"staged policies would change {count} connections",
                    "detail": f"{len(differing)} pair, most: {first['source']['name']} to {first['dest']['name']} on {first['dest_port']}/{first['proto']}",
                    "count": count,
                    "first_seen": first["first_seen"],
                    "last_seen": first["last_seen"],
                    "filter": first["filter"],
                    "advice": "look at the staged policies before you enforce them",
                }
            )
        for gap in span["gaps"][:3]:
            found.append(
                {
                    "id": f"gap-{gap['from']}",
                    "severity": "info",
                    "kind": "gap",
                    "title": f"no records for {(gap['until'] - gap['from']) // 60} min",
                    "detail": "",
                    "count": 0,
                    "first_seen": gap["from"],
                    "last_seen": gap["until"],
                    "filter": None,
                    "advice": "was the agent stopped?",
                }
            )
        return {"range": span, "findings": found}

    def status(self, query):
        data = self.data
        return {
            "version": "0.1.0",
            "node": "node-1",
            "now": data.now,
            "store": {
                "path": None,
                "records": len(data.records),
                "bytes": 0,
                "limit_bytes": 0,
                "oldest": data.records[0][1] if data.records else None,
                "newest": data.records[-1][1] if data.records else None,
                "flow_keys": len(data.keys),
            },
            "inventory": None,
        }

    def fields(self, query):
        return {
            "fields": [
                {
                    "name": name,
                    "type": "integer" if isinstance(value, int) else "string",
                    "unit": "",
                    "meaning": name.replace("_", " "),
                    "is_groupable": name in KEY_FIELDS,
                }
                for name, value in FIELDS.items()
            ]
        }

    def values(self, query):
        _, chosen = self.select({name: query[name] for name in ("since", "until") if name in query})
        field, prefix = query.get("field", ""), query.get("prefix", "")
        if field not in FIELDS and field not in ("namespace", "name", "name_aggr", "ip"):
            raise BadRequest("bad_parameter", f"'{field}' is no field", parameter="field")
        names = (field,) if field in FIELDS else (f"source_{field}", f"dest_{field}")
        found = {self.data.keys[self.data.records[index][0]].get(name) for index in chosen for name in names}
        values = sorted(str(value) for value in found if value is not None and str(value).startswith(prefix))
        limit = int(query.get("limit", 20))
        return {"field": field, "values": values[:limit], "is_complete": len(values) <= limit}
