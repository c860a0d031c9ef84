"""Explanations of the bank, as `weir policy trace` words them."""

TEXTS = {
    "security": "security.security-default-pass rule 0 leaves it to the next tier: it matches everything",
    "platform": "platform.platform-default-pass rule 0 leaves it to the next tier: it matches everything",
    "tigera-security": "rule 1 leaves it to the next tier: it matches everything",
}
CHECKS = {
    "3|application|yaobank/application.allow-customer|deny|-1": [
        "rule 0 (spec.egress[0]) allow: does not hold: destination port is 80; it is 2379"
    ]
}


def step(hit):
    """One step of a trace, from a hit."""
    _, tier, rest = hit.split("|", 2)
    policy, action, rule = rest.rsplit("|", 2)
    staged = "staged:" in policy
    if rule == "-1":
        text = f"no rule of tier {tier}'s policies matched: the tier's default denies"
    elif action == "allow":
        text = (
            f'rule {rule} allows: protocol is tcp; destination port is 2379; destination is selected by app == "database"'
            if staged
            else f"rule {rule} allows"
        )
    else:
        text = TEXTS.get(tier, f"rule {rule} {'denies' if action == 'deny' else 'leaves it to the next tier'}")
    return {
        "hit": hit,
        "tier": tier,
        "policy": policy,
        "kind": "StagedNetworkPolicy" if staged else "GlobalNetworkPolicy" if "/" not in policy else "NetworkPolicy",
        "is_staged": staged,
        "action": action,
        "rule": int(rule),
        "text": text,
        "checks": CHECKS.get(hit, []),
    }


def sentence(hits, port):
    """The decision, in one sentence."""
    last = step(hits[-1])
    if last["rule"] == -1:
        why = (
            f" because rule 0 of {last['policy']} requires port 80; it is {port}"
            if last["checks"]
            else ": no rule of its policies matched"
        )
        return f"denied by the default of tier {last['tier']}{why}"
    verb = {"deny": "denied", "allow": "allowed"}.get(last["action"], "passed")
    return f"{verb} by {last['policy']} rule {last['rule']} of tier {last['tier']}"


def deciding(record):
    """The name of the list of hits that decided."""
    return "transit_policies" if record["reporter"] == "fwd" else "enforced_policies"


def reason(record):
    """The reason of a record's verdict, in one sentence; None without policies."""
    hits = (record["policies"] or {}).get(deciding(record))
    return sentence(hits, record["dest_port"]) if hits else None


def explain(record):
    """The answer of /explain about a record."""
    hits = record["policies"]
    if not hits:
        return {"record": record, "now": None, "pending": None, "notes": ["no policies are known to apply to this end"]}
    enforced = hits[deciding(record)]
    pending = enforced if record["reporter"] == "fwd" else hits["pending_policies"]
    decision = lambda list_of_hits: {
        "action": list_of_hits[-1].split("|")[-2],
        "sentence": sentence(list_of_hits, record["dest_port"]),
        "steps": [step(hit) for hit in list_of_hits],
    }
    return {
        "record": record,
        "now": {**decision(enforced), "action": record["action"]},
        "pending": {"is_same": enforced == pending, **decision(pending)},
        "notes": [],
    }
