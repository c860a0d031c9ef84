#!/usr/bin/env python3
"""Serves the web page and a mock of /api/v1 over made records: for the page's tests, and for work on the page without a build.

    Tests/Browser/mock_server.py [--port 8081] [--scenario bank|hostile|large|forwarded|empty]

Prints its address. The scenario can be chosen in the address, too: http://127.0.0.1:8081/large/.
"""

import argparse
import csv
import io
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from mock_api import API
from mock_data import SCENARIOS
from mock_select import BadRequest

ENDPOINTS = {
    *("overview", "graph", "query", "records", "explain", "findings", "policies", "status", "fields", "values"),
    "timeline",
}
WEB = Path(__file__).resolve().parents[2] / "Sources/Page/Web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Mock:
    """The state that handlers share: the answers of scenarios, and the faults that the server simulates."""

    def __init__(self, scenario, now=None):
        self.is_down = False
        self.now = now or int(time.time()) // 10 * 10
        self.scenario, self.apis, self.token, self.requests, self.answers = scenario, {}, None, [], {}

    def api(self, scenario):
        """The answers of a scenario."""
        if scenario not in self.apis:
            self.apis[scenario] = API(SCENARIOS[scenario](self.now))
        return self.apis[scenario]

    def answer(self, scenario, name, work, query):
        """The answer to a request, computed once, since records and time do not change."""
        key = scenario, name, *sorted(query.items())
        if key not in self.answers:
            self.answers[key] = work(query)
        return self.answers[key]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mock = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.mock.is_down:
            self.close_connection = True
            return None
        url = urlsplit(self.path)
        parts = url.path.lstrip("/").split("/")
        scenario = self.mock.scenario
        if parts[0] in SCENARIOS:
            scenario = parts.pop(0)
        path = "/".join(parts)
        if path.startswith("api/v1/"):
            return self.answer(
                scenario, path.removeprefix("api/v1/"), dict(parse_qsl(url.query, keep_blank_values=True))
            )
        file = WEB / ("index.html" if path == "" else path.removeprefix("assets/"))
        if not file.resolve().is_relative_to(WEB) or not file.is_file():
            return self.send(404, b"not found", "text/plain")
        self.send(200, file.read_bytes(), TYPES[file.suffix])

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        url = urlsplit(self.path)
        parts = url.path.lstrip("/").split("/")
        scenario = parts.pop(0) if parts[0] in SCENARIOS else self.mock.scenario
        if self.mock.is_down or "/".join(parts) != "api/v1/policy/preview":
            self.close_connection = True
            return None
        if self.headers["Content-Type"] != "application/yaml":
            return self.json(415, {"error": {"code": "bad_content_type", "message": "YAML is needed"}})
        try:
            self.json(200, self.mock.api(scenario).preview(dict(parse_qsl(url.query)), text))
        except BadRequest as error:
            self.json(error.status, error.body)

    def answer(self, scenario, name, query):
        mock = self.mock
        mock.requests.append((name, query))
        if mock.token and self.headers.get("Authorization") != f"Bearer {mock.token}":
            return self.json(401, {"error": {"code": "unauthorized", "message": "a token is needed"}})
        if name == "live":
            return self.live()
        work = getattr(mock.api(scenario), name) if name in ENDPOINTS else None
        if work is None:
            return self.json(404, {"error": {"code": "not_found", "message": f"there is no {name}"}})
        try:
            body = mock.answer(scenario, name, work, query)
        except BadRequest as error:
            return self.json(error.status, error.body)
        if isinstance(body, list):
            return self.export(body, query["format"])
        self.json(200, body)

    def export(self, records, form):
        if form == "csv":
            out = io.StringIO()
            writer = csv.DictWriter(out, list(records[0]) if records else ["id"])
            writer.writeheader()
            writer.writerows(records)
            return self.send(200, out.getvalue().encode(), "text/csv")
        self.send(200, "".join(json.dumps(record) + "\n" for record in records).encode(), "application/x-ndjson")

    def live(self):
        self.send(200, b'{"record":{"id":"1-1"}}\n{"time":1}\n', "application/x-ndjson")

    def json(self, status, body):
        self.send(status, json.dumps(body).encode(), "application/json")

    def send(self, status, body, kind):
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the page has closed the connection


def start(scenario="bank", port=0, now=None):
    """A server in a thread of its own: `(server, mock)`."""
    import threading

    mock = Mock(scenario, now)
    handler = type("MockHandler", (Handler,), {"mock": mock})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, mock


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=8081)
    arguments.add_argument("--scenario", choices=sorted(SCENARIOS), default="bank")
    chosen = arguments.parse_args()
    server, _ = start(chosen.scenario, chosen.port)
    print(f"http://127.0.0.1:{server.server_address[1]}/")
    sys.stdout.flush()
    try:
        time.sleep(1e9)
    except KeyboardInterrupt:
        pass
