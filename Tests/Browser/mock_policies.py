"""The answer of /policies over the mock's records."""

import mock_words


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
            last_pending = policies["pending_policies"][-1]
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
                            "_rules": {},
                        },
                    )
                    total = policy[step["action"]]
                    total["connections"] += sums[3]
                    total["bytes"] += sums[0] + sums[1]
                    policy["last_hit"] = max(policy["last_hit"], end)
                    if step["is_staged"] and hit == last_pending and step["action"] != record["action"]:
                        policy["would_" + step["action"]] += sums[3]
                    rule = policy["_rules"].setdefault(
                        (step["rule"], step["action"]),
                        {
                            "index": step["rule"],
                            "action": step["action"],
                            "connections": 0,
                            "bytes": 0,
                            "last_hit": 0,
                            "state": "used",
                            "filter": f'{kind}_policies contains "|{hit.partition("|")[2]}"',
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
            "last_hit": None,
            "_rules": {
                (0, "allow"): {
                    "index": 0,
                    "action": "allow",
                    "connections": 0,
                    "bytes": 0,
                    "last_hit": None,
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
                rules = sorted(policy["_rules"].values(), key=lambda rule: (rule["index"] < 0, rule["index"]))
                policies.append({**{key: value for key, value in policy.items() if key != "_rules"}, "rules": rules})
            answer.append({"name": name, "policies": policies})
        return {"range": span, "has_inventory": bool(tiers), "tiers": answer}
