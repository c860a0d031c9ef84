"""Compares alerts and dashboard with the metrics that the program publishes, and with the documents.

    alerts.py METRICS     a file with an answer of /metrics, from the top of the clone
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ALERTS = Path("deploy/prometheus/alerts.yaml")
TESTS = Path("deploy/prometheus/alerts.test.yaml")
DASHBOARD = Path("deploy/grafana/weir.json")
RUNBOOKS = Path("docs/operations.md")
# Metrics of Prometheus itself.
FOREIGN = {"up"}
# Metrics that a run without a cluster or files does not publish.
CLUSTER_ONLY = re.compile(r"weir_inventory_(unreachable_seconds|kind_\w+|watch_restarts_total|files)$")
faults = []


def fault(text):
    faults.append(text)
    print(f"error: {text}", file=sys.stderr)


def names(expression):
    """The metrics of an expression."""
    without_strings = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b((?:weir|process|up)(?:_\w+)?)\b(?!=)", without_strings)) - {"process", "weir"}


def published(path):
    """Names of a scrape: those of its samples, and of families that have none yet."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return {line.split()[2] if line.startswith("# TYPE ") else re.split(r"[{ ]", line)[0] for line in lines}


def check_names(what, expression, known):
    for name in names(expression) - known - FOREIGN:
        if not CLUSTER_ONLY.match(name):
            fault(f"{what}: {name} is not published")


def check_alerts(known):
    rules = [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
    tests = yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]
    fired = {t["alertname"] for test in tests for t in test["alert_rule_test"] if t["exp_alerts"]}
    quiet = {t["alertname"] for test in tests for t in test["alert_rule_test"] if not t["exp_alerts"]}
    headings = set(re.findall(r"^### (Weir\w+)$", RUNBOOKS.read_text(encoding="utf-8"), re.M))
    alerts = {rule["alert"] for rule in rules}
    for rule in rules:
        check_names(rule["alert"], rule["expr"], known)
    for name in sorted(alerts - fired):
        fault(f"{name}: no test in which it fires")
    for name in sorted(alerts - quiet):
        fault(f"{name}: no test in which it does not fire")
    for name in sorted(alerts ^ headings):
        fault(f"{name}: {'no section in' if name in alerts else 'no such alert, but a section in'} {RUNBOOKS}")
    return len(alerts)


def check_dashboard(known):
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    if len(set(identifiers)) != len(identifiers):
        fault("dashboard: two panels have the same id")
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        if cells & taken or place["x"] + place["w"] > 24:
            fault(f"dashboard: {panel['title']} lies over another panel")
        taken |= cells
    expressions = [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]
    for title, expression in expressions:
        check_names(f"dashboard: {title}", expression, known)
    # Prometheus's own parser, with values in the place of Grafana's variables.
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
        records = [
            {"record": f"panel:{index}", "expr": expression.replace("$__rate_interval", "5m").replace("$node", ".*")}
            for index, (_, expression) in enumerate(expressions)
        ]
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}, rules)
        rules.flush()
        result = subprocess.run(["promtool", "check", "rules", rules.name], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            fault(f"dashboard: {result.stderr}{result.stdout}")
    return len(panels)


def main():
    known = published(sys.argv[1])
    alerts, panels = check_alerts(known), check_dashboard(known)
    print(f"{alerts} alerts and {panels} panels ask for what is published ({len(known)} names)")
    sys.exit(1 if faults else 0)


main()
