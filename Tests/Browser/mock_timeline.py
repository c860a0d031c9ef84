"""Changes of the cluster, for the mock server: of a policy and of a label, with names of the data set."""


class Timeline:
    """Answers requests about changes."""

    def timeline(self, query):
        span, chosen = self.select(query)
        events = []
        if chosen:
            index = chosen[len(chosen) // 2]
            key, end = self.data.keys[self.data.records[index][0]], self.data.records[index][1]
            events = [self.policy_change(key, end), self.label_change(key, end - 30)]
        return {"range": span, "events": events, "is_complete": True}

    @staticmethod
    def policy_change(key, time):
        proto, port = key["proto"], key["dest_port"]
        verdict = {
            "source": f"{key['source_namespace']}/{key['source_name_aggr']}",
            "dest": f"{key['dest_namespace']}/{key['dest_name_aggr']}",
            "port": proto if port is None else f"{port}/{proto}",
            "reporter": "dst",
            "before": "allow",
            "after": "deny",
            "rule_before": "",
            "rule": f"0|default|{key['dest_namespace']}/knp.default.{key['dest_name_aggr']}|deny|-1",
            "connections": 3,
            "time": time,
            "is_likely": False,
        }
        return {
            "time": time - 4,
            "kind": "policy",
            "change": "changed",
            "verb": "patch",
            "outcome": "done",
            "title": f"NetworkPolicy {key['dest_namespace']}/{key['dest_name_aggr']}",
            "namespace": key["dest_namespace"],
            "user": key["source_name_aggr"],
            "detail": "",
            "diff": f"ingress[0].from pods app={key['source_name_aggr']} → none",
            "audit_id": "4312bc1c-891e-44b3-a39a-448d1332c101",
            "connections": 3,
            "verdicts_changed": [verdict],
        }

    @staticmethod
    def label_change(key, time):
        return {
            "time": time,
            "kind": "object",
            "change": "patch: denied",
            "verb": "patch",
            "outcome": "denied",
            "title": f"Namespace {key['dest_namespace']}",
            "user": "mallory",
            "detail": "mallory was denied to patch Namespace: nothing changed (403)",
            "audit_id": "5",
            "connections": 0,
            "verdicts_changed": [],
        }
