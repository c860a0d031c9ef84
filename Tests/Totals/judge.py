"""Compares the sums of `weir query`, `weir top` and the page's API with jq's sums of the same records."""

import collections
import csv
import io
import itertools
import json
import pathlib
import random
import subprocess
import sys
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
GROUP = ["source_type", "source_namespace", "source_name_aggr", "dest_type", "dest_namespace", "dest_name_aggr", "dest_port",
         "proto", "dest_service_namespace", "dest_service_name", "action", "reporter", "point"]
SUMS = ["records", "connections", "bytes_in", "bytes_out", "packets"]
START = 1_790_000_100 // 300 * 300
# Records that one jq adds up: its objects of groups stay small, so that a million records take jq a minute.
PART = 20_000
# Names that a table, a filter or a terminal could handle wrongly.
NAMES = ['a"b', "it's", "x || all()", "<script>alert(1)</script>", "\u202egnp.exe", "\u001b[2J\u001b]0;x\u0007", "n" * 253,
         "ünïcödé", "back\\slash", "tab\there", "comma,semicolon;"]


def write_records(count, path):
    """Writes records of two hours: some two thousand groups of connections, a tenth of them with single pods."""
    chance = random.Random(15)
    groups = []
    for number in range(2_000):
        client, server = number % 211, number % 53
        name = NAMES[number // 97 % len(NAMES)] if number % 97 == 0 else f"client-{client}-5c7d8f9b66-*"
        is_network = number % 31 == 0
        is_denied = number % 9 == 0
        hit = f"0|default|shop/knp.default.server-{server}|{'deny|-1' if is_denied else 'allow|0'}"
        service = "-" if number % 5 == 0 else f"server-{server}"
        groups.append({
            "source_ip": None, "source_name": "-", "source_name_aggr": "pub" if is_network else name,
            "source_namespace": "-" if is_network else f"team-{client % 17}", "source_type": "net" if is_network else "wep",
            "source_labels": None if is_network else {"labels": [f"app=client-{client}"]}, "dest_ip": None, "dest_name": "-",
            "dest_name_aggr": f"server-{server}-7d9c6b5f48-*", "dest_namespace": "shop", "dest_type": "wep",
            "dest_labels": {"labels": [f"app=server-{server}"]}, "source_port": None, "dest_port": 8_000 + number % 7,
            "dest_service_namespace": "-" if service == "-" else "shop", "dest_service_name": service,
            "dest_service_port": "-", "proto": "udp" if number % 13 == 0 else "tcp",
            "action": "deny" if is_denied else "allow", "reporter": "dst" if number % 3 == 0 else "src",
            "policies": {"enforced_policies": [hit], "pending_policies": [hit]},
        })
    # The reports of both ends are one pair.
    groups += [dict(group, reporter="src") for group in groups if group["reporter"] == "dst"]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            group = groups[min(int(chance.paretovariate(0.6)) - 1, len(groups) - 1 - number % 1_000)]
            if number % 50 == 0:
                group = groups[number // 50 * 97 % 1_940]
            end = START + 10 + number * 7_190 // count // 10 * 10
            if number % 10 == 0:
                pod = number // 10 % 5
                group = dict(group, source_ip=f"10.1.{pod}.{number % 250}", source_name=f"client-{number % 211}-x7k2{pod}")
            flows = chance.randrange(9)
            record = {
                "start_time": end - 10, "end_time": end, **group, "bytes_in": chance.randrange(1 << 30),
                "bytes_out": chance.randrange(1 << 20), "num_flows": flows + 1, "num_flows_started": flows,
                "num_flows_completed": flows // 2, "packets_in": chance.randrange(1 << 16), "packets_out": chance.randrange(999),
            }
            file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")


def jq_sums(path):
    """jq's sums of the records of a file by group: a jq for each part of them, and the sum of their sums."""
    totals = {}
    with open(path, "rb") as file:
        while part := list(itertools.islice(file, PART)):
            lines = subprocess.run(["jq", "-nr", "-f", HERE / "sums.jq"], input=b"".join(part), check=True, capture_output=True)
            for line in lines.stdout.decode().splitlines():
                values = json.loads(line)
                group, sums = tuple(values[:len(GROUP)]), values[len(GROUP):]
                old = totals.get(group)
                totals[group] = [one + other for one, other in zip(old, sums)] if old else sums
    return totals


class Judge:
    """Compares answers with the sums of jq, and prints how long each took."""

    def __init__(self, weir, path):
        self.weir, self.path, self.failures = weir, path, 0
        began = time.monotonic()
        self.rows = []
        for group, sums in jq_sums(path).items():
            row = dict(zip(GROUP + SUMS, (*group, *sums)))
            row["bytes"] = row["bytes_in"] + row["bytes_out"]
            row["port"] = f"{row['dest_port']}/{row['proto']}"
            for end in ("source", "dest"):
                space, name = row[f"{end}_namespace"], row[f"{end}_name_aggr"]
                row[end] = name if space == "-" else f"{space}/{name}"
            for measure in ("connections", "bytes", "records"):
                row[f"denied_{measure}"] = row[measure] if row["action"] == "deny" else 0
            self.rows.append(row)
        print(f"jq: {sum(row['records'] for row in self.rows)} records, {len(self.rows)} groups, "
              f"{time.monotonic() - began:.1f} s")

    def sums(self, names, measures, wanted=lambda row: True):
        """The sums by some names."""
        result = collections.defaultdict(lambda: [0] * len(measures))
        for row in self.rows:
            if wanted(row):
                group = result[tuple(row[name] for name in names)]
                for index, measure in enumerate(measures):
                    group[index] += row[measure]
        return dict(result)

    def same(self, what, found, expected, began):
        """Prints whether two answers are equal."""
        if found == expected and expected:
            size = len(expected) if hasattr(expected, "__len__") else 1
            print(f"same: {what!r}: {size} values, {time.monotonic() - began:.2f} s")
            return
        self.failures += 1
        print(f"DIFFERENT: {what!r}")
        if isinstance(expected, dict):
            for key in [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)][:5]:
                print(f"    {key!r}: {found.get(key)}, and jq has {expected.get(key)}")
        else:
            print(f"    {found}, and jq has {expected}")

    def run(self, *arguments):
        """The objects that a command prints."""
        output = subprocess.run([self.weir, *arguments, "-o", "json"], check=True, capture_output=True).stdout
        return [json.loads(line) for line in output.decode().splitlines()]

    def query(self, names, measures, arguments=(), wanted=lambda row: True, interval=None):
        """`weir query`."""
        began = time.monotonic()
        found = {}
        extra = ["--interval", f"{interval}s"] if interval else []
        arguments = [*(["--group-by", ",".join(names)] if names else []), "--sum", ",".join(measures), *extra, *arguments]
        for row in self.run("query", "--from", self.path, "--top", "1000000", *arguments):
            key = tuple(row[name] for name in names) + ((row["time"] // interval,) if interval else ())
            found[key] = [row[measure] for measure in measures]
        expected = self.sums([*names, *(["point"] if interval else [])], measures, wanted)
        if interval:
            expected = {key: sums for key, sums in expected.items() if any(sums) or key in found}
        self.same(f"query {' '.join(arguments)}", found, expected, began)

    def top(self, view, names, wanted=lambda row: True):
        """Compares each row of `weir top --once`, and checks that the rows are the largest."""
        began = time.monotonic()
        measures = ["connections", "bytes", "packets", "denied_connections"]
        rows = self.run("top", view, "--from", self.path, "--once")
        found = {tuple(row[name] for name in names): [row[measure] for measure in measures] for row in rows}
        everything = self.sums(names, measures, wanted)
        order = measures.index("denied_connections" if view == "denied" else "connections")
        least = sorted((sums[order] for sums in everything.values()), reverse=True)[:len(rows)]
        self.same(f"top {view}", found, {key: everything.get(key) for key in found}, began)
        self.same(f"top {view}: order", [sums[order] for sums in found.values()], least, began)

    def pairs(self):
        """Allowed and denied connections and bytes of each pair: the larger report counts, and the denials of either end."""
        views = collections.defaultdict(lambda: {"src": [0, 0], "dst": [0, 0], "denied": [0, 0]})
        ends = ["source_type", "source", "dest_type", "dest", "port"]
        for row in self.rows:
            view = views[tuple(row[name] for name in ends)]
            for index, measure in enumerate(("connections", "bytes")):
                view[row["reporter"]][index] += row[measure]
                if row["action"] == "deny":
                    view["denied"][index] += row[measure]
        result = {}
        for key, view in views.items():
            most = view["src"] if view["src"][0] >= view["dst"][0] and view["src"][1] else view["dst"]
            result[key] = ([total - min(total, denied) for total, denied in zip(most, view["denied"])], view["denied"])
        return result

    def page(self):
        """The API of the page."""
        process = subprocess.Popen([self.weir, "ui", "--from", self.path, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE)
        try:
            self.ask(process.stdout.readline().decode().strip().rstrip("/"))
        finally:
            process.terminate()
            process.wait()

    def ask(self, address):
        """Compares the answers to the page's requests."""
        whole = {"since": START, "until": START + 7_200}

        def get(name, **parameters):
            text = urllib.parse.urlencode({**whole, **parameters})
            with urllib.request.urlopen(f"{address}/api/v1/{name}?{text}", timeout=60) as answer:
                return answer.read()

        pairs = self.pairs()
        expected = [[sum(pair[verdict][index] for pair in pairs.values()) for index in range(2)] for verdict in range(2)]
        began = time.monotonic()
        overview = json.loads(get("overview"))
        totals = overview["totals"]
        self.same("page: overview", [[totals[verdict][measure] for measure in ("connections", "bytes")]
                                     for verdict in ("allowed", "denied")], expected, began)
        self.same("page: overview, records", totals["records"], sum(row["records"] for row in self.rows), began)
        for by in ("namespace", "workload", "service"):
            for limit in (10_000, 100):
                began = time.monotonic()
                graph = json.loads(get("graph", by=by, limit=limit))
                found = [[sum(edge[verdict][measure] for edge in graph["edges"]) + graph["other"][verdict][measure]
                          for measure in ("connections", "bytes")] for verdict in ("allowed", "denied")]
                self.same(f"page: graph by {by}, {len(graph['edges'])} edges", found, expected, began)
        began = time.monotonic()
        records = json.loads(get("records", filter='action == "deny"', limit=1))
        denied = sum(row["denied_records"] for row in self.rows)
        self.same("page: denied records", records["matched"], denied, began)
        began = time.monotonic()
        rows = list(csv.DictReader(io.StringIO(get("records", filter='action == "deny"', format="csv").decode())))
        self.same("page: CSV of denied records", [len(rows), sum(int(row["num_flows_started"]) for row in rows)],
                  [denied, sum(row["denied_connections"] for row in self.rows)], began)


def main():
    """Makes records, and compares."""
    weir, scratch, count = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    path = str(scratch / "records.jsonl")
    write_records(count, path)
    judge = Judge(weir, path)
    everything = ["records", "connections", "bytes_in", "bytes_out", "packets"]
    judge.query(["source", "dest", "port", "action", "reporter"], everything)
    judge.query(["dest_service_namespace", "dest_service_name"], everything)
    judge.query(["action"], ["connections", "bytes"], interval=300)
    judge.query(["source"], ["denied_connections"], ["--denied"], lambda row: row["action"] == "deny")
    judge.query(["dest"], everything, ["--namespace", "team-3", "--port", "8003"],
                lambda row: row["source_namespace"] == "team-3" and row["dest_port"] == 8_003)
    judge.query(["port"], everything, ["--filter", 'proto == "udp" && dest_service_name != "-"'],
                lambda row: row["proto"] == "udp" and row["dest_service_name"] != "-")
    for name in NAMES:
        text = name.replace('"', '""')
        judge.query(["dest"], everything, ["--filter", f'source_name_aggr == "{text}"'],
                    lambda row, name=name: row["source_name_aggr"] == name)
    judge.top("pairs", ["source", "dest", "port"])
    judge.top("services", ["dest_service_namespace", "dest_service_name"])
    judge.top("denied", ["source", "dest", "port"], lambda row: row["action"] == "deny")
    judge.page()
    sys.exit(f"{judge.failures} answers are different" if judge.failures else 0)


main()
