"""Judges the statements of `weir schema clickhouse` and the queries of `weir --store clickhouse:URL` with ClickHouse's engine."""

import base64
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time

from chdb import session

weir, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
server = session.Session(str(scratch / "data"))
for statement in scratch.joinpath("schema.sql").read_text().split(";\n"):
    if statement.strip():
        server.query(statement.strip().rstrip(";"))

def made_up():
    """Records with what columns, texts and filters may stumble over."""
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
            dest_port=[443, 53, None, 32768, 260][number // 3 % 5], proto=["tcp", "udp", "icmp", "icmp6", "icmp6"][number // 3 % 5],
            action="deny" if number % 5 == 0 else "allow", reporter="dst" if number % 2 else "src",
            policies=None if number % 11 == 0 else base["policies"], bytes_in=number * 10**14, num_flows_started=number % 4,
            source_labels=None if number % 13 == 0 else base["source_labels"],
        ))
    return made


columns = server.query("SELECT name FROM system.columns WHERE database = 'default' AND table = 'flows'", "JSONCompact")
columns = [row[0] for row in json.loads(str(columns))["data"]]

if len(sys.argv) > 3:
    records = [json.loads(line) for line in open(sys.argv[3])]
else:
    records = made_up()
for key in records[0]:
    assert key in columns, f"the table has no column for {key}"


def insert(rows, token):
    server.query(
        "INSERT INTO default.flows SETTINGS input_format_skip_unknown_fields=0, input_format_null_as_default=1, "
        "date_time_input_format='best_effort', async_insert=0, insert_deduplicate=1, "
        f"deduplicate_blocks_in_dependent_materialized_views=1, insert_deduplication_token='{token}' "
        "FORMAT JSONEachRow " + "\n".join(json.dumps(row) for row in rows))


def number(query):
    return int(str(server.query(query)).strip() or 0)


insert(records, "a")
insert(records, "a")  # Sent again.
insert(records[:1], "b")
rows, sums = len(records) + 1, sum(row["bytes_in"] for row in records) + records[0]["bytes_in"]
assert number("SELECT count() FROM flows") == rows, "a repetition was counted, or a record is missing"
assert number("SELECT sum(bytes_in) FROM flows") == sums
assert number("SELECT sum(bytes_in) FROM flows_minutes") == sums, "the roll-up counts a repetition"
try:
    insert([dict(records[0], unknown=1)], "c")
    sys.exit("a field that the table lacks was taken")
except Exception as error:
    assert "117" in str(error), error


# ---- The commands, over HTTP


class Handler(http.server.BaseHTTPRequestHandler):
    """Passes statements on to the engine, which has no server of its own."""

    lock = threading.Lock()
    asked = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        statement = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wanted = "Basic " + base64.b64encode(b"reader:secret").decode()
        try:
            if self.headers.get("Authorization") != wanted:
                return self.answer(401, b"Code: 516. Authentication failed")
            with Handler.lock:
                Handler.asked.append(statement)
                body = str(server.query(statement, "JSONCompactStringsEachRow")).encode()
            self.answer(200, body)
        except Exception as error:  # What the engine says is the answer.
            self.answer(500, str(error).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=http_server.serve_forever, daemon=True).start()
password = scratch / "password"
password.write_text("secret\n")
password.chmod(0o600)
url = f"http://127.0.0.1:{http_server.server_address[1]}"
store = f"clickhouse:{url};user=reader;password-file={password};table=default.flows"
server.query("TRUNCATE TABLE flows")
insert(records, "all")
flows = scratch / "flows.log"
flows.write_text("".join(json.dumps({key: value for key, value in row.items() if key != "@timestamp"}) + "\n" for row in records))
first, last = min(row["end_time"] for row in records), max(row["end_time"] for row in records)
span = ["--since", str(first - 1), "--until", str(last)]


def run(arguments):
    done = subprocess.run([weir, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


FILTERS = [
    "", 'action == "deny"', 'source_namespace == "shop" && dest_port == 443', "dest_port > 100 || !has(dest_port)",
    'ip == "10.0.0.0/8"', 'dest_ip == "fd00::/16"', "has(dest_ip)", 'source_labels["tier"] == "a=b"', 'has(source_labels["app"])',
    'source_labels["app"] starts with "w"', 'pending_policies contains "staged"', "has(policies)", 'proto == "udp"', "proto == 17",
    'source_name_aggr contains "b""c"', "source_name_aggr == 'a\\''b\"c'", 'source_name_aggr ends with "é"',
    "bytes_in >= 9007199254740993", 'source_name_aggr in {"web-*", "x"}', 'source_name_aggr != "web-*"',
    "has(source_namespace)", 'source_name_aggr contains "\\"', "!(reporter == 'src' && dest_port == 53)", "end_time > %d" % (first + 500),
]
QUERIES = [
    [], ["--group-by", "source,dest,port"], ["--group-by", "source_name_aggr,dest_ip", "--sum", "bytes,records,denied_connections"],
    ["--group-by", "rule,pending_rule,pending_action", "--sum", "flows,completed,packets_in"],
    ["--group-by", "dest_port", "--sum", "connections", "--order", "dest_port"],
    ["--group-by", "source", "--sum", "bytes_out", "--interval", "5m"], ["--interval", "1m", "--sum", "records,allowed_bytes"],
    ["--group-by", "source", "--sum", "records", "--top", "3", "--order", "-source"],
]
compared = 0
for place, expression in enumerate(FILTERS):
    wanted = ["--filter", expression] if expression else []
    for query in QUERIES if place < 2 else QUERIES[2:3]:
        asked = ["query", *query, *span, *wanted, "-o", "json"]
        here, there = run(asked + ["--from", str(flows)]), run(asked + ["--store", store])
        assert here == there, f"{asked}\nfile:\n{here}\nClickHouse:\n{there}\n{Handler.asked[-3:]}"
        compared += 1
    asked = ["observe", *span, *wanted, "-o", "json"]
    here = sorted(json.dumps(json.loads(line)) for line in run(["observe", "--from", str(flows), *asked[1:]]).splitlines())
    there = run(asked + ["--store", store]).splitlines()
    assert len(here) == len(there), (expression, len(here), len(there))
    for line, mine in zip(sorted(there), here):
        json.loads(line)
    names = [sorted(json.loads(line)["source_name_aggr"] for line in lines) for lines in (here, there)]
    assert names[0] == names[1], expression
    compared += 1
assert run(["observe", "--store", store, "--last", "1", "-o", "json"]).count("\n") == 1
assert "denied" in run(["top", "denied", "--store", store, "--once", "--window", "24h"])
refused = subprocess.run([weir, "query", "--store", store.replace("reader", "nobody")], capture_output=True, text=True)
assert refused.returncode == 1 and "Authentication failed" in refused.stderr, refused.stderr
print(f"{compared} answers of queries are those of the same records in a file")
version = str(server.query("SELECT version()")).strip()
print(f"ClickHouse {version}: {rows} rows of {2 * len(records) + 1} inserted, roll-up equal, unknown field refused")
