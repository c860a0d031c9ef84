"""Selects the mock's records for a request, and makes pairs of them in which each connection counts once."""

import re

from mock_data import KEY_FIELDS, SUM_FIELDS
from mock_filter import FilterError, compile_filter

FIELDS = {"start_time": 0, "end_time": 0, **KEY_FIELDS, **dict.fromkeys(SUM_FIELDS, 0)}


class BadRequest(Exception):
    """An error of the API: status and body."""

    def __init__(self, code, message, status=400, **detail):
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message, **detail}}


class Selection:
    """Chooses records of one data set. The time is always the data's `now`."""

    def __init__(self, data):
        self.data = data

    # Range and filter

    def time(self, text, fallback):
        if not text:
            return fallback
        if re.fullmatch(r"\d+", text):
            return int(text)
        found = re.fullmatch(r"(\d+)([smhd])", text)
        if not found:
            raise BadRequest("bad_parameter", f"'{text}' is no time")
        return self.data.now - int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]

    def select(self, query):
        """The range and the indexes of its records that match the filter."""
        data = self.data
        since, until = self.time(query.get("since"), data.now - 900), self.time(query.get("until"), data.now)
        try:
            matches = compile_filter(query.get("filter", ""), FIELDS)
        except FilterError as error:
            raise BadRequest(
                "bad_filter", error.message, parameter="filter", offset=error.offset, length=error.length
            ) from None
        verdicts = [
            matches({**key, "start_time": 0, "end_time": 0, **dict.fromkeys(SUM_FIELDS, 0)}) for key in data.keys
        ]
        needs_sums = re.search(r"\b(bytes|packets|num_|end_time|start_time)", query.get("filter", ""))
        chosen = []
        for index, (key, end, *_) in enumerate(data.records):
            if since < end <= until and (matches(data.record(index)) if needs_sums else verdicts[key]):
                chosen.append(index)
        ends = [record[1] for record in (data.records[:1] + data.records[-1:])] or [None, None]
        minutes = (
            {
                data.records[index][1] // 60
                for index in range(len(data.records))
                if since < data.records[index][1] <= until
            }
            if len(data.records) < 20000
            else None
        )
        gaps = []
        if minutes:
            for minute in range(since // 60 + 1, until // 60):
                if minute not in minutes:
                    if gaps and gaps[-1]["until"] == minute * 60:
                        gaps[-1]["until"] += 60
                    else:
                        gaps.append({"from": minute * 60, "until": minute * 60 + 60})
        return {
            "since": since,
            "until": until,
            "now": data.now,
            "oldest": ends[0],
            "newest": ends[1],
            "gaps": gaps[:100],
        }, chosen

    # Pairs: count each connection once

    def end(self, record, prefix, by="workload"):
        kind, namespace, name = record[f"{prefix}_type"], record[f"{prefix}_namespace"], record[f"{prefix}_name_aggr"]
        if kind == "net":
            name = record[f"{prefix}_ip"] or name
        elif by == "pod":
            name = record[f"{prefix}_name"]
        space = None if namespace == "-" else namespace
        if by == "namespace" and space is not None:
            return {"id": f"namespace:{space}", "type": "namespace", "namespace": space, "name": space}
        return {"id": f"{kind}:{space or ''}/{name}", "type": kind, "namespace": space, "name": name}

    def pairs(self, chosen, by="workload", ports=True):
        groups = {}
        by_key = {}
        for index in chosen:
            key, end, *sums = self.data.records[index]
            if key not in by_key:
                record = self.data.keys[key]
                source, dest = self.end(record, "source", by), self.end(record, "dest", by)
                by_key[key] = (source["id"], dest["id"], record["dest_port"], record["proto"]), source, dest, record
            name, source, dest, record = by_key[key]
            group = groups.get(name)
            if group is None:
                group = groups[name] = {
                    "source": source,
                    "dest": dest,
                    "record": record,
                    "sides": {},
                    "first": end,
                    "last": end,
                    "denied": None,
                    "differs": 0,
                    "allow": 0,
                }
            side = group["sides"].setdefault(record["reporter"], {"allow": [0, 0, 0], "deny": [0, 0, 0]})
            total = side[record["action"]]
            total[0] += sums[3]
            total[1] += sums[0] + sums[1] + sums[7] + sums[8]
            total[2] += sums[5] + sums[6] + sums[9] + sums[10]
            group["first"], group["last"] = min(group["first"], end), max(group["last"], end)
            if record["action"] == "deny":
                group["denied"] = record
            hits = record["policies"]
            if hits and hits["pending_policies"][-1:] != hits["enforced_policies"][-1:]:
                group["differs"] += sums[3]
                group["allow"] += sums[3] if "|allow|" in hits["pending_policies"][-1] else 0
        return [self.pair(group) for group in groups.values()]

    @staticmethod
    def totals(sides):
        sides = {reporter: side for reporter, side in sides.items() if reporter != "fwd"} or sides
        widest = max(sides.values(), key=lambda side: side["allow"][0] + side["deny"][0])
        total = [a + b for a, b in zip(widest["allow"], widest["deny"])]
        denied = max((side["deny"] for side in sides.values()), key=lambda sums: sums[0])
        denied = [min(a, b) if denied[0] else 0 for a, b in zip(denied, [max(t, d) for t, d in zip(total, denied)])]
        allowed = [max(0, t - d) for t, d in zip(total, denied)]
        names = ("connections", "bytes", "packets")
        return dict(zip(names, allowed)), dict(zip(names, denied))

    def pair(self, group):
        allowed, denied = self.totals(group["sides"])
        record = group["denied"] or group["record"]
        hits = (record["policies"] or {}).get("enforced_policies")
        filters = []
        for prefix in ("source", "dest"):
            for field in ("type", "namespace", "name_aggr"):
                filters.append(f'{prefix}_{field} == "{record[f"{prefix}_{field}"]}"')
        return {
            "source": group["source"],
            "dest": group["dest"],
            "dest_port": record["dest_port"],
            "proto": record["proto"],
            "dest_service_namespace": record["dest_service_namespace"],
            "dest_service_name": record["dest_service_name"],
            "allowed": allowed,
            "denied": denied,
            "pending": {
                "differs": group["differs"],
                "would_allow": group["allow"],
                "would_deny": group["differs"] - group["allow"],
            },
            "rule": hits[-1] if hits else None,
            "action": "deny" if denied["connections"] else "allow",
            "first_seen": group["first"],
            "last_seen": group["last"],
            "filter": " && ".join(filters),
            "_record": record,
        }
