"""The answer of /policies over the mock's records."""

import re

import mock_words
from mock_select import BadRequest

SELECTORS = {
    "yaobank/application.allow-customer": 'app == "customer"',
    "yaobank/application.staged:customer-to-database": 'app == "customer"',
}
TEXTS = {
    ("yaobank/application.allow-customer", 0): "protocol is tcp; destination port is 80",
    (
        "yaobank/application.staged:customer-to-database",
        0,
    ): 'protocol is tcp; destination port is 2379; destination is selected by app == "database"',
}


class Policies:
    """The board of tiers, as a part of the API."""

    def policies(self, query):
        span, chosen = self.select(query)
        tiers = {}
        for pair_index in chosen:
            key, end, *sums = self.data.records[pair_index]
            record = self.data.keys[key]
            policies = record["policies"]
            if not policies:
                continue
            last_pending = policies["pending_policies"][-1:]
            for kind, hits in (("enforced", policies["enforced_policies"]), ("pending", policies["pending_policies"])):
                for hit in hits:
                    step = mock_words.step(hit)
                    if kind == "pending" and not step["is_staged"]:
                        continue
                    policy = tiers.setdefault(step["tier"], {}).setdefault(
                        step["policy"],
                        {
                            "id": step["policy"],
                            "kind": step["kind"],
                            "namespace": step["policy"].partition("/")[0] if "/" in step["policy"] else None,
                            "name": step["policy"].partition("/")[2] or step["policy"],
                            "is_staged": step["is_staged"],
                            "state": "used",
                            "allow": {"connections": 0, "bytes": 0},
                            "deny": {"connections": 0, "bytes": 0},
                            "pass": {"connections": 0, "bytes": 0},
                            "would_allow": 0,
                            "would_deny": 0,
                            "last_hit": 0,
                            "selector": SELECTORS.get(step["policy"], "all()"),
                            "filter": f'policies contains "|{step["tier"]}|{step["policy"]}|"',
                            "_rules": {},
                        },
                    )
                    if step["is_staged"]:
                        part = f'pending_policies contains "|{step["tier"]}|{step["policy"]}'
                        policy["would_allow_filter"] = f'{part}|allow|" && action == "deny"'
                        policy["would_deny_filter"] = f'{part}|deny|" && action == "allow"'
                    total = policy[step["action"]]
                    total["connections"] += sums[3]
                    total["bytes"] += sums[0] + sums[1]
                    policy["last_hit"] = max(policy["last_hit"], end)
                    if step["is_staged"] and [hit] == last_pending and step["action"] != record["action"]:
                        policy["would_" + step["action"]] += sums[3]
                    direction = "ingress" if record["reporter"] == "dst" else "egress"
                    rule = policy["_rules"].setdefault(
                        (direction, step["rule"], step["action"]),
                        {
                            "index": step["rule"],
                            "direction": direction,
                            "text": TEXTS.get((step["policy"], step["rule"])),
                            "action": step["action"],
                            "connections": 0,
                            "bytes": 0,
                            "last_hit": 0,
                            "state": "used",
                            "filter": f'{kind}_policies ends with "|{hit.partition("|")[2]}"'
                            f' && reporter == "{record["reporter"]}"',
                        },
                    )
                    rule["connections"] += sums[3]
                    rule["bytes"] += sums[0] + sums[1]
                    rule["last_hit"] = max(rule["last_hit"], end)
        order = ["tigera-security", "security", "platform", "application", "default"]
        unused = {
            "id": "yaobank/application.allow-legacy",
            "kind": "NetworkPolicy",
            "namespace": "yaobank",
            "name": "application.allow-legacy",
            "is_staged": False,
            "state": "unused",
            "allow": {"connections": 0, "bytes": 0},
            "deny": {"connections": 0, "bytes": 0},
            "pass": {"connections": 0, "bytes": 0},
            "would_allow": 0,
            "would_deny": 0,
            "last_hit": 0,
            "selector": 'app == "legacy"',
            "filter": "",
            "_rules": {
                ("ingress", 0, "allow"): {
                    "index": 0,
                    "direction": "ingress",
                    "text": 'protocol is tcp; destination port is 8080; source is selected by app == "old-frontend"',
                    "action": "allow",
                    "connections": 0,
                    "bytes": 0,
                    "last_hit": 0,
                    "state": "unused",
                    "filter": "",
                }
            },
        }
        if "application" in tiers:
            tiers["application"][unused["id"]] = unused
        answer = []
        for name in sorted(tiers, key=lambda tier: (order.index(tier) if tier in order else 99, tier)):
            policies = []
            for policy in tiers[name].values():
                rules = sorted(
                    policy["_rules"].values(), key=lambda rule: (rule["direction"] == "egress", rule["index"] < 0, rule["index"])
                )
                policies.append({**{key: value for key, value in policy.items() if key != "_rules"}, "rules": rules})
            answer.append({"name": name, "default_action": "deny", "policies": policies})
        return {"range": span, "has_inventory": bool(tiers), "can_preview": bool(tiers), "tiers": answer}

    def preview(self, query, text):
        """The preview of a change: the mock evaluates staged policies only, and lists the kinds of the objects."""
        span, chosen = self.select(query)
        if "<script" in text:
            raise BadRequest("bad_change", "line 1: not YAML: <script>alert(1)</script>")
        changes = [f"+ {name}" for name in re.findall(r"(?m)^kind: (\S+)", text)]
        enforces = query.get("enforce_staged") == "true"
        if enforces:
            changes.append("~ staged policies are enforced")
        rows, kept, total = {}, {}, 0
        for index in chosen:
            key, end, *sums = self.data.records[index]
            record = self.data.keys[key]
            policies = record["policies"]
            if record["reporter"] != "src" or not policies:
                continue
            now, then = policies["enforced_policies"][-1], policies["pending_policies"][-1]
            after = mock_words.step(then)["action"] if enforces else record["action"]
            ends = [f'{record[f"{side}_namespace"]}/{record[f"{side}_name_aggr"]}' for side in ("source", "dest")]
            port = f'{record["dest_port"]}/{record["proto"]}'
            total += sums[3]
            if after == record["action"]:
                kept[(*ends, port)] = kept.get((*ends, port), 0) + sums[3]
                continue
            row = rows.setdefault(
                (*ends, port, after),
                {
                    "source": ends[0],
                    "dest": ends[1],
                    "port": port,
                    "before": record["action"],
                    "after": after,
                    "before_rule": now,
                    "after_rule": then,
                    "before_text": mock_words.step(now)["text"],
                    "after_text": mock_words.step(then)["text"],
                    "connections": 0,
                    "bytes": 0,
                    "last_seen": 0,
                    "filter": f'source_name_aggr == "{record["source_name_aggr"]}" && '
                    f'dest_name_aggr == "{record["dest_name_aggr"]}" && dest_port == {record["dest_port"]}',
                },
            )
            row["connections"] += sums[3]
            row["bytes"] += sums[0] + sums[1]
            row["last_seen"] = max(row["last_seen"], end)

        def count(action):
            chosen_rows = [row for row in rows.values() if row["after"] == action]
            return {"pairs": len(chosen_rows), "connections": sum(row["connections"] for row in chosen_rows)}

        return {
            "range": span,
            "changes": changes,
            "warnings": [],
            "connections": total,
            "since": span["since"],
            "until": span["until"],
            "kept_pairs": len(kept),
            "kept_connections": sum(kept.values()),
            "newly_denied": count("deny"),
            "newly_allowed": count("allow"),
            "unknown": {"pairs": 0, "connections": 0},
            "rows": sorted(rows.values(), key=lambda row: -row["connections"]),
            "other_rows": 0,
        }
