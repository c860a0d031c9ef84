"""Records for the mock server: the bank of `weir lab --scenario yaobank`, a shop around it, hostile names, and many flows."""

import random

SUM_FIELDS = [
    "bytes_in",
    "bytes_out",
    "num_flows",
    "num_flows_started",
    "num_flows_completed",
    "packets_in",
    "packets_out",
    "transit_bytes_in",
    "transit_bytes_out",
    "transit_packets_in",
    "transit_packets_out",
]
KEY_FIELDS = {
    "source_ip": None,
    "source_name": "-",
    "source_name_aggr": "-",
    "source_namespace": "-",
    "source_port": None,
    "source_type": "net",
    "source_labels": None,
    "dest_ip": None,
    "dest_name": "-",
    "dest_name_aggr": "-",
    "dest_namespace": "-",
    "dest_port": None,
    "dest_type": "net",
    "dest_labels": None,
    "dest_service_namespace": "-",
    "dest_service_name": "-",
    "dest_service_port": "-",
    "dest_service_port_num": None,
    "proto": "tcp",
    "action": "allow",
    "reporter": "src",
    "policies": None,
    "process_name": "-",
    "dest_domains": None,
}
PASSES = ["0|security|security.security-default-pass|pass|0", "1|platform|platform.platform-default-pass|pass|0"]
ALIEN = [
    "0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1",
    "1|security|security.security-default-pass|pass|0",
    "2|platform|platform.platform-default-pass|pass|0",
]


class Data:
    """Keys (the constant fields of records) and records as tuples: key, end, and the sums in the order of SUM_FIELDS."""

    def __init__(self, now):
        self.now, self.keys, self.records = now, [], []
        self.interval = 10

    def key(self, **fields):
        self.keys.append({**KEY_FIELDS, **fields})
        return len(self.keys) - 1

    def add(self, key, end, started, bytes_in, bytes_out, packets_in, packets_out):
        own, transit = (bytes_in, bytes_out, packets_in, packets_out), (0, 0, 0, 0)
        if self.keys[key]["reporter"] == "fwd":
            own, transit = transit, own
        self.records.append((key, end, *own[:2], started, started, started, *own[2:], *transit))

    def finish(self):
        self.records.sort(key=lambda record: record[1])
        return self

    def record(self, index):
        key, end, *sums = self.records[index]
        return {
            "id": f"{end}-{index}",
            "start_time": end - self.interval,
            "end_time": end,
            **self.keys[key],
            **dict(zip(SUM_FIELDS, sums)),
        }


def workload(namespace, name, pod="x7k2p", label=None):
    return {
        "type": "wep",
        "namespace": namespace,
        "name": f"{name}-{pod}",
        "name_aggr": f"{name}-*",
        "label": label or name.rsplit("-", 1)[0],
    }


def network(address=None, kind="pub"):
    return {"type": "net", "namespace": "-", "name": "-", "name_aggr": kind, "ip": address}


def side(prefix, end):
    fields = {
        f"{prefix}_type": end["type"],
        f"{prefix}_namespace": end["namespace"],
        f"{prefix}_name": end["name"],
        f"{prefix}_name_aggr": end["name_aggr"],
        f"{prefix}_ip": end.get("ip"),
    }
    if "label" in end:
        fields[f"{prefix}_labels"] = {"labels": [f"app={end['label']}"]}
    return fields


def traffic(
    data,
    source,
    dest,
    port,
    started,
    size,
    *,
    action="allow",
    rules=None,
    pending=None,
    reporters=("src", "dst"),
    proto="tcp",
    service=None,
    times=None,
    noise=None,
):
    """Records of a pair at each flush: the source sends `size` bytes in a connection, the answer has ten times as many."""
    noise = noise or random.Random(7)
    keys = {}
    for reporter in reporters:
        hits = (rules or {}).get(reporter)
        extra = (
            {"dest_service_namespace": dest["namespace"], "dest_service_name": service}
            if service and reporter == "src"
            else {}
        )
        policies = (
            {"enforced_policies": hits, "pending_policies": (pending or {}).get(reporter, hits)} if hits else None
        )
        if policies and reporter == "fwd":
            policies = {"enforced_policies": [], "pending_policies": [], "transit_policies": hits}
        keys[reporter] = data.key(
            **side("source", source),
            **side("dest", dest),
            dest_port=port,
            proto=proto,
            action=action,
            reporter=reporter,
            policies=policies,
            **extra,
        )
    for end in times or range(data.now - 840, data.now + 1, data.interval):
        count = max(0, round(started * (0.7 + 0.6 * noise.random())))
        if count == 0:
            continue
        for reporter, key in keys.items():
            there, back = count * size, 0 if action == "deny" else count * size * 10
            packets, answers = count * 5, 0 if action == "deny" else count * 5
            if reporter == "src":
                data.add(key, end, count, back, there, answers, packets)
            else:
                data.add(key, end, count, there, back, packets, answers)


def bank(now):
    """The bank: its page calls the database directly, which policies deny and a staged policy would allow."""
    data = Data(now)
    customer = workload("yaobank", "customer-856cd6d9f5", "bl2sn")
    summary = workload("yaobank", "summary-5877cf7d76", "8jqlv")
    database = workload("yaobank", "database-69f6f4db5b", "wd2lr")
    allow = lambda number, name: f"{number}|application|yaobank/application.{name}|allow|0"
    traffic(
        data,
        customer,
        summary,
        80,
        12,
        468,
        service="summary",
        rules={"src": ALIEN + [allow(3, "allow-customer")], "dst": PASSES + [allow(2, "allow-summary")]},
    )
    traffic(
        data,
        summary,
        database,
        2379,
        24,
        418,
        service="database",
        rules={"src": PASSES + [allow(2, "allow-summary")], "dst": PASSES + [allow(2, "allow-database")]},
    )
    staged = "3|application|yaobank/application.staged:customer-to-database|allow|0"
    traffic(
        data,
        customer,
        database,
        2379,
        0.7,
        60,
        action="deny",
        reporters=("src",),
        times=range(now - 400, now + 1, 10),
        rules={"src": ALIEN + ["3|application|yaobank/application.allow-customer|deny|-1"]},
        pending={"src": ALIEN + [staged]},
    )
    traffic(
        data,
        network("198.51.100.7"),
        customer,
        80,
        3,
        520,
        reporters=("dst",),
        rules={"dst": PASSES + [allow(2, "allow-customer")]},
    )
    traffic(
        data,
        network("10.9.8.7", "pvt"),
        database,
        2379,
        0.2,
        60,
        action="deny",
        reporters=("dst",),
        times=range(now - 300, now + 1, 50),
        rules={"dst": ["0|security|security.security-default-pass|pass|0", "1|platform|platform.deny-private|deny|2"]},
    )
    shop(data)
    return data.finish()


def shop(data):
    """A shop beside the bank, the cluster's DNS, and calls to the outside."""
    names = [
        "frontend-7d9c6b5f48",
        "cart-6b8f7c9d55",
        "checkout-5c7d8f9b66",
        "catalog-84c6b7d59f",
        "mail-66d9c8b7f5",
        "payment-59c7d8b6f4",
    ]
    frontend, cart, checkout, catalog, mail, payment = (workload("shop", name) for name in names)
    dns = workload("kube-system", "coredns-76f75df574")
    scraper = {
        "type": "wep",
        "namespace": "monitoring",
        "name": "prometheus-0",
        "name_aggr": "prometheus-*",
        "label": "prometheus",
    }
    node = {"type": "hep", "namespace": "-", "name": "node-1", "name_aggr": "node-1", "ip": "10.0.0.11"}
    rule = {
        "src": PASSES + ["2|default|shop/knp.default.egress|allow|0"],
        "dst": PASSES + ["2|default|shop/knp.default.web|allow|0"],
    }
    traffic(data, frontend, cart, 7070, 38, 900, rules=rule, service="cart")
    traffic(data, frontend, catalog, 3550, 31, 1400, rules=rule, service="catalog")
    traffic(data, checkout, payment, 50051, 8, 700, rules=rule, service="payment")
    traffic(data, checkout, mail, 25, 1, 2400, rules=rule, service="mail")
    traffic(data, network("203.0.113.80"), frontend, 443, 44, 800, reporters=("dst",), rules={"dst": rule["dst"]})
    traffic(data, checkout, network("203.0.113.20"), 443, 6, 1900, reporters=("src",), rules={"src": rule["src"]})
    for caller in (frontend, cart, checkout, catalog, mail):
        traffic(
            data,
            caller,
            dns,
            53,
            9,
            80,
            proto="udp",
            rules={"src": rule["src"]},
            service="kube-dns",
            reporters=("src",),
        )
    for target in (frontend, cart, checkout, dns):
        traffic(data, scraper, target, 9090, 1, 300)
    traffic(data, node, scraper, 9090, 0.5, 120, reporters=("dst",))
    traffic(
        data,
        mail,
        network(None, "pub"),
        25,
        0.4,
        60,
        action="deny",
        reporters=("src",),
        times=range(data.now - 700, data.now - 500, 10),
        rules={"src": PASSES + ["2|default|shop/knp.default.egress|deny|-1"]},
    )


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'; alert(3); '",
    "javascript:alert(4)",
    "\u202egnp.exe\u202c",
    "a\u200bb",
    "zero\u2060\u00ad\u034f\u3164\ufe0f\U000e0041width",
    "x" * 253,
    "x" * 252 + "y",
    "{{constructor.constructor('alert(5)')()}}",
    "</title><script>alert(6)</script>",
    "line\nbreak\u2028\t\x1b[31m",
    "__proto__",
    "constructor",
    "عربي-שלום",
    "-",
    "%3Cscript%3E",
    "a/b/c",
    "||&&==",
]


def hostile(now):
    """Names with markup, scripts, other directions of text, or great length."""
    data = Data(now)
    ends = [{"type": "wep", "namespace": name, "name": name, "name_aggr": name, "label": name} for name in HOSTILE]
    for number, source in enumerate(ends):
        dest = ends[(number + 1) % len(ends)]
        hit = [
            f"0|{source['name_aggr'].replace('|', '')}|{source['namespace'].replace('|', '')}/t.{source['name'].replace('|', '')}|deny|-1"
        ]
        traffic(
            data,
            source,
            dest,
            1000 + number,
            5,
            100,
            service=dest["name"],
            action="deny" if number % 3 == 0 else "allow",
            rules={"src": hit, "dst": hit},
        )
        for key in data.keys[-2:]:
            key.update(process_name=source["name"], dest_domains=[dest["name"], "db.example"])
    return data.finish()


def large(now, pairs=2000, records=20_000):
    """More than 100,000 flows of 2,000 pairs over 40 namespaces; one pair in a hundred is denied, and the bank is among them."""
    data = bank(now)
    noise = random.Random(4)
    namespaces = [f"team-{number:02d}" for number in range(40)]
    ends = [
        workload(
            noise.choice(namespaces),
            f"{noise.choice(['api', 'web', 'worker', 'cache', 'queue', 'store'])}-{number}-{noise.randrange(10**8, 10**9)}b",
        )
        for number in range(500)
    ]
    keys = []
    for number in range(pairs):
        source, dest = noise.choice(ends), noise.choice(ends)
        denied = number % 100 == 3
        hits = PASSES + [f"2|default|{dest['namespace']}/knp.default.web|{'deny|-1' if denied else 'allow|0'}"]
        keys.append(
            (
                data.key(
                    **side("source", source),
                    **side("dest", dest),
                    dest_port=noise.choice([80, 443, 5432, 6379, 9092]),
                    action="deny" if denied else "allow",
                    reporter="dst",
                    policies={"enforced_policies": hits, "pending_policies": hits},
                ),
                noise.paretovariate(1.1),
            )
        )
    for number in range(records):
        key, weight = keys[number % len(keys)]
        count = 3 + int(3 * weight * noise.random())
        data.add(key, now - noise.randrange(0, 900, 10), count, count * 700, count * 4200, count * 5, count * 5)
    return data.finish()


def forwarded(now):
    """Connections that a host forwards: one to a pod, which reports it as well, and a denied one between two networks."""
    data = Data(now)
    frontend = workload("shop", "frontend-7d9c6b5f48")
    client = network("203.0.113.80")
    hit = lambda action: [f"0|platform|platform.forward|{action}|0"]
    rules = {"dst": PASSES + ["2|default|shop/knp.default.web|allow|0"], "fwd": hit("allow")}
    traffic(data, client, frontend, 443, 20, 800, reporters=("dst", "fwd"), rules=rules)
    traffic(
        data,
        client,
        network("10.9.8.7", "pvt"),
        2379,
        3,
        60,
        action="deny",
        reporters=("fwd",),
        rules={"fwd": hit("deny")},
    )
    return data.finish()


def empty(now):
    """A store without records."""
    return Data(now)


SCENARIOS = {"bank": bank, "hostile": hostile, "large": large, "forwarded": forwarded, "empty": empty}
