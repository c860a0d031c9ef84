"""Checks Weir's use of ClickHouse with ClickHouse's engine: the tables that `weir setup` makes, the rows that an output inserts,
and the queries of the commands that take `--store clickhouse:URL`, whose answers must equal those for the same records in a
file."""

import json
import os
import pathlib
import subprocess
import sys
import time

import engine as clickhouse
from traffic import run_with_traffic

weir, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
OWN = ["host", "@timestamp"]
TRANSIT = {"transit_policies": ["0|default|default.gateway|allow|0"]}
# Calico Enterprise joins several reporters.
REPORTERS = ["fwd", "dst", "src", "dst,fwd", "src, fwd", "dst"]
EXTENSIONS = ["dropped_packets_in", "dropped_packets_out", "drop_reason", "connect_time_us"]


def made_up():
    """Records with values that columns, texts and filters could handle wrongly."""
    now = int(time.time()) // 60 * 60 - 3600
    base = {
        "start_time": 0, "end_time": 0, "source_ip": None, "source_name": "-", "source_name_aggr": "web-*",
        "source_namespace": "shop", "source_port": None, "source_type": "wep",
        "source_labels": {"labels": ["app=web", "tier=a=b"]}, "dest_ip": "10.0.0.1", "dest_name": "-", "dest_name_aggr": "db-*",
        "dest_namespace": "shop", "dest_port": 443, "dest_type": "wep", "dest_labels": None, "dest_service_namespace": "-",
        "dest_service_name": "-", "proto": "tcp", "action": "allow", "reporter": "src", "num_flows": 1, "num_flows_started": 1,
        "num_flows_completed": 0, "packets_in": 1, "packets_out": 2, "bytes_in": 5, "bytes_out": 7, "host": "n1",
        "policies": {"enforced_policies": ["0|default|a|allow|0"], "pending_policies": ["0|default|staged:b|deny|0"]},
        "@timestamp": "2026-11-28T18:00:00.000Z",
    }
    names = ["web-*", "a\\'b\"c", "x\ny\tz", "\u202eevil\u001b[2J", "n" * 253, "-", "ünïcödé"]
    made = []
    for number in range(400):
        end = now + number * 5
        made.append(dict(
            base, start_time=end - 10, end_time=end, source_name_aggr=names[number % 7],
            source_namespace="shop" if number % 3 else "-", dest_ip=["10.0.0.1", "fd00::1", None, "203.0.113.9"][number % 4],
            # Messages of ICMPv6 are numbers: 256 is type 1, 260 type 1 with code 4, 32768 and 33024 echo request and reply.
            dest_port=[443, 53, None, 32768, 260, 33024, 256, 65535, 0][number // 3 % 9],
            proto=["tcp", "udp", "icmp", "icmp6", "icmp6", "icmp6", "icmp6", "icmp", "132"][number // 3 % 9],
            action="deny" if number % 5 == 0 else "allow", reporter=REPORTERS[number % 17 % 6],
            policies=None if number % 11 == 0 else base["policies"] | (TRANSIT if number % 17 == 0 else {}),
            bytes_in=number * 10**14, num_flows_started=number % 4,
            source_labels=None if number % 13 == 0 else base["source_labels"], source_port=[None, 40000, 65535][number % 3],
            nat_outgoing_ports=[None, [40000], [40000, 1025]][number % 3],
            dest_domains=[None, ["db.example", "b\"'\\.example"]][number % 2], dest_service_port_num=[None, 8443][number % 2],
            dest_service_name=["-", "db", "*"][number % 3], process_name=["-", "curl", "/usr/bin/a b"][number % 3],
            process_args=[["-"], ["-x '1'", "\\"]][number % 2], original_source_ips=[None, ["192.0.2.7", "2001:db8::7"]][number % 2],
            dropped_packets_in=number % 3, dropped_packets_out=number % 2, drop_reason=[None, "NETFILTER_DROP", "it's"][number % 3],
            num_flows=number % 6, num_flows_completed=number % 2, connect_time_us=number % 3 * 700,
            **{f"transit_{name}": 0 if number % 17 else number for name in ["bytes_in", "bytes_out", "packets_in", "packets_out"]},
        ))
    return made


FILTERS = [
    "", 'action == "deny"', 'source_namespace == "shop" && dest_port == 443', "dest_port > 100 || !has(dest_port)",
    'ip == "10.0.0.0/8"', 'dest_ip == "fd00::/16"', "has(dest_ip)", 'source_labels["tier"] == "a=b"', 'has(source_labels["app"])',
    'source_labels["app"] starts with "w"', 'pending_policies contains "staged" && !(transit_policies contains "gateway")',
    "has(policies)", 'proto == "udp"', "proto == 17",
    'source_name_aggr contains "b""c"', "source_name_aggr == 'a\\''b\"c'", 'source_name_aggr ends with "é"',
    "bytes_in >= 9007199254740993", 'source_name_aggr in {"web-*", "x"}', 'source_name_aggr != "web-*"',
    "has(source_namespace)", 'source_name_aggr contains "\\"', "!(reporter == 'src' && dest_port == 53)", "end_time > %d",
    "nat_outgoing_ports == 1025", "has(nat_outgoing_ports)", "dest_domains ends with '.example'", "has(dest_domains)",
    "process_args contains '\\'", "original_source_ips == '2001:db8::/32'", "has(original_source_ips)", "drop_reason == 'it''s'",
    "has(drop_reason)", "dropped_packets_in > 1 || has(process_name)", "dest_service_port_num != 8443", "port == 32768",
    "has(process_args)", "!has(process_args) && process_args == '-'", "dropped_packets_in != 0", "connect_time_us < 1000",
    "reporter == 'dst'", "reporter != 'fwd'", "rtt_us == 0 || has(dns_latency_us)", "has(tcp_flags) || has(caused_by)",
    "name contains 'a' && namespace == 'shop'", "policies == '0|default|a|allow|0' && action != 'deny'",
]
QUERIES = [
    [], ["--group-by", "source,dest,port"], ["--group-by", "source_name_aggr,dest_ip", "--sum", "bytes,records,denied_connections"],
    ["--group-by", "rule,pending_rule,pending_action", "--sum", "flows,completed,packets_in"],
    ["--group-by", "dest_port", "--sum", "connections", "--order", "dest_port"],
    ["--group-by", "source", "--sum", "bytes_out", "--interval", "5m"], ["--interval", "1m", "--sum", "records,allowed_bytes"],
    ["--group-by", "source", "--sum", "records", "--top", "3", "--order", "-source"],
    ["--group-by", "port,proto", "--sum", "records", "--interval", "1h", "--top", "4"],
    ["--group-by", "port", "--sum", "records", "--order", "port"], ["--group-by", "port,dest", "--sum", "bytes", "--order", "bytes"],
    ["--group-by", "rule,port", "--sum", "denied_records", "--interval", "5m", "--order", "-rule"],
]
QUANTITIES = [
    "records", "connections", "flows", "completed", "bytes", "bytes_in", "bytes_out", "packets", "packets_in", "packets_out",
    "transit_bytes", "transit_packets", "dropped_packets",
]
VIEWS = ["pairs", "pods", "services", "namespaces", "ports", "denied", "policies"]
CLUSTER = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}
"""
POD = """---
apiVersion: v1
kind: Pod
metadata: {name: NAME-x, namespace: shop, generateName: NAME-, labels: {app: NAME}}
spec: {nodeName: n1, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.1.0.NUMBER, podIPs: [{ip: 10.1.0.NUMBER}]}
"""


def run(*arguments, code=0):
    done = subprocess.run([weir, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    return done.stdout


class Judge:
    """A table with records, and a file with the same."""

    def __init__(self, engine, store, records):
        self.engine, self.store, self.records, self.compared = engine, store, records, 0
        self.flows = scratch / "flows.log"
        self.flows.write_text("".join(json.dumps({name: row[name] for name in row if name not in OWN}) + "\n" for row in records))
        ends = [row["end_time"] for row in records]
        self.span = ["--since", str(min(ends) - 1), "--until", str(max(ends))]
        self.middle = (min(ends) + max(ends)) // 2

    def compare(self, arguments, file="--from", read=lambda text: text, code=0):
        """Runs a command on the file and on the table: the answers must be equal."""
        here = read(run(*arguments, file, str(self.flows), code=code))
        there = read(run(*arguments, "--store", self.store, code=code))
        assert here == there, f"{arguments}\nfile:\n{here}\nClickHouse:\n{there}\n{self.engine.asked[-3:]}"
        self.compared += 1

    def shown(self, text):
        """Records of an answer in one order, with the fields that the file has of them.

        Of Weir's own fields, empty values are left out.
        """
        names = [name for name in self.records[0] if name not in OWN]
        shown = map(json.loads, text.splitlines())
        return sorted(json.dumps([(record.get(name) or None) if name in EXTENSIONS else record[name] for name in names]) for record in shown)

    def queries(self):
        for place, expression in enumerate(FILTERS):
            wanted = ["--filter", expression.replace("%d", str(self.middle))] if expression else []
            for query in QUERIES if place < 2 else QUERIES[2:3]:
                self.compare(["query", *query, *self.span, *wanted, "-o", "json"])
            self.compare(["observe", *self.span, *wanted, "-o", "json"], read=self.shown)
        whole = ["--top", "1000", *self.span, "-o", "json"]
        for action in ["", "allowed_", "denied_"]:
            # More than 12 sums at once are refused.
            for quantities in QUANTITIES[:8], QUANTITIES[8:]:
                sums = ",".join(action + quantity for quantity in quantities)
                self.compare(["query", "--group-by", "source,reporter", "--sum", sums, *whole])
        for name, kind in columns(self.engine).items():
            if name not in OWN and kind.startswith(("Nullable", "LowCardinality", "String", "Array(String)")):
                self.compare(["query", "--group-by", name, "--sum", "records,bytes,denied_connections", *whole])
        for order in ["connections", "bytes", "packets", "denied"]:
            for view in VIEWS:
                self.compare(["top", view, "--by", order, "--window", "24h", "--once", "-o", "json"])

    def reports(self):
        """Compares the reports of policies, with a cluster whose workloads are in the records."""
        cluster = scratch / "cluster.yaml"
        pods = [POD.replace("NAME", name).replace("NUMBER", str(number)) for number, name in enumerate(["web", "db"], 1)]
        cluster.write_text(CLUSTER + "".join(pods))
        self.compare(["report", "network-access", "--inventory", str(cluster), *self.span, "--format", "json"])
        # Code 1: some of the made-up pairs cannot be allowed, for they name no workload.
        self.compare(["policy", "suggest", "--inventory", str(cluster), "-n", "shop", *self.span], file="--flows", code=1)

    def other_commands(self):
        assert run("observe", "--store", self.store, "--last", "1", "-o", "json").count("\n") == 1
        assert "denied" in run("top", "denied", "--store", self.store, "--once", "--window", "24h")
        command = [weir, "query", "--store", self.store.replace("reader", "nobody")]
        refused = subprocess.run(command, capture_output=True, text=True)
        assert refused.returncode == 1 and "Authentication failed" in refused.stderr, refused.stderr


def columns(engine):
    found = engine.query("SELECT name, type FROM system.columns WHERE database = 'default' AND table = 'flows'", "JSONCompact")
    return dict(json.loads(found)["data"])


def insert(engine, rows, token):
    engine.query(
        "INSERT INTO default.flows SETTINGS input_format_skip_unknown_fields=0, input_format_null_as_default=1, "
        "date_time_input_format='best_effort', async_insert=0, insert_deduplicate=1, "
        f"deduplicate_blocks_in_dependent_materialized_views=1, insert_deduplication_token='{token}' "
        "FORMAT JSONEachRow " + "\n".join(json.dumps(row) for row in rows))


def judge_tables(engine, store, records):
    """`weir setup`, run twice, makes the tables of `weir schema`, and adds fields that they lack; a repeated insert counts once,
    an unknown field is rejected."""
    made = run("setup", store)
    for table, column in [("flows", "container_name"), ("flows_minutes", "transit_bytes_in")]:
        engine.query(f"ALTER TABLE {table} DROP COLUMN {column}")
    assert made == run("setup", store) and made.count("made CREATE") == 3, made
    engine.run(scratch.joinpath("schema.sql").read_text())
    known = columns(engine)
    for key in records[0]:
        assert key in known, f"the table has no column for {key}"
    insert(engine, records, "a")
    insert(engine, records, "a")  # Sent again.
    insert(engine, records[:1], "b")
    rows, sums = len(records) + 1, sum(row["bytes_in"] for row in records) + records[0]["bytes_in"]
    assert engine.number("SELECT count() FROM flows") == rows, "a repetition was counted, or a record is missing"
    assert engine.number("SELECT sum(bytes_in) FROM flows") == sums
    assert engine.number("SELECT sum(bytes_in) FROM flows_minutes") == sums, "the roll-up counts a repetition"
    transit = sum(row["transit_bytes_in"] for row in records) + records[0]["transit_bytes_in"]
    assert engine.number("SELECT sum(transit_bytes_in) FROM flows_minutes") == transit
    try:
        insert(engine, [dict(records[0], unknown=1)], "c")
        sys.exit("a field that the table lacks was taken")
    except Exception as error:
        assert "117" in str(error), error
    print(f"{rows} rows of {2 * len(records) + 1} inserted, roll-up equal, unknown field refused")


def judge_output(engine, store):
    """An output inserts the flows of a run on loopback: the table must have the records of the file beside it."""
    engine.query("TRUNCATE TABLE flows")
    written, _ = run_with_traffic(weir, scratch, store)
    names = ["bytes_in", "bytes_out", "packets_in", "packets_out", "num_flows", "num_flows_started"]
    wanted = [len(written)] + [sum(row[name] for row in written) for name in names]
    sums = engine.query(f"SELECT count(), {', '.join(f'sum({name})' for name in names)} FROM flows", "JSONCompactStringsEachRow")
    found = [int(value) for value in json.loads(sums)]
    assert found == wanted and wanted[0] > 200, (found, wanted)
    hosts = engine.query("SELECT DISTINCT host, toDateTime(`@timestamp`) = end_time FROM flows", "JSONCompactStringsEachRow")
    assert [json.loads(line) for line in hosts.splitlines()] == [[written[0]["host"], "1"]], hosts
    print(f"an output inserted the {wanted[0]} records of the file beside it, sums equal")


def main():
    engine = clickhouse.Engine(scratch / "data")
    server, store = clickhouse.serve(engine, scratch)
    try:
        records = [json.loads(line) for line in open(sys.argv[3])] if len(sys.argv) > 3 else made_up()
        judge_tables(engine, store, records)
        if os.geteuid() == 0:
            judge_output(engine, store)
        engine.query("TRUNCATE TABLE flows")
        insert(engine, records, "all")
        judge = Judge(engine, store, records)
        judge.queries()
        judge.reports()
        judge.other_commands()
        print(f"{judge.compared} answers of commands are those of the same records in a file")
        print(f"ClickHouse {engine.query('SELECT version()').strip()}")
    finally:
        server.shutdown()
        engine.close()


main()
