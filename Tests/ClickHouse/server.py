"""Checks an output with the HTTP interface of a real, old ClickHouse server (Debian's, 2018): authentication, compressed
bodies, answers.

The server lacks the newer settings and types: a pass-through removes unknown settings from the URL and passes on everything
else, byte by byte, and the table has columns of plain types only."""

import http.client
import http.server
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.parse

from traffic import run_with_traffic

weir, scratch, program, libraries = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
PORT = 18123
KNOWN = ["query", "input_format_skip_unknown_fields"]
SUMS = ["bytes_in", "bytes_out", "packets_in", "packets_out", "num_flows"]
TABLE = """CREATE TABLE default.flows (start_time DateTime, end_time DateTime, source_name_aggr String, dest_name_aggr String,
    dest_port Nullable(UInt16), proto String, action String, reporter String, host String, %s)
    ENGINE = MergeTree PARTITION BY toDate(end_time) ORDER BY (source_name_aggr, dest_name_aggr, end_time)"""


class PassOn(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the server."""

    protocol_version = "HTTP/1.1"
    seen = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.partition("?")
        settings = [(name, value) for name, value in urllib.parse.parse_qsl(query) if name in KNOWN]
        settings = [(name, "1" if name.startswith("input") else value) for name, value in settings]
        server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        names = ["authorization", "content-encoding", "content-type", "user-agent"]
        headers = {name: self.headers[name] for name in names if name in self.headers}
        server.request("POST", path + "?" + urllib.parse.urlencode(settings), body, headers)
        answer = server.getresponse()
        text = answer.read()
        PassOn.seen.append((self.headers.get("Content-Encoding"), answer.status))
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def ask(statement):
    server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    server.request("POST", "/", statement, {"X-ClickHouse-User": "weir", "X-ClickHouse-Key": "secret"})
    answer = server.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, text
    return text.strip()


def start():
    """Starts the server, and waits for it."""
    for name in ["data", "tmp"]:
        (scratch / name).mkdir()
    user = "<{0}><password>{1}</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></{0}>"
    (scratch / "users.xml").write_text(
        "<yandex><profiles><default/></profiles><quotas><default/></quotas>"
        f"<users>{user.format('weir', 'secret')}{user.format('default', 'unused')}</users></yandex>")
    (scratch / "config.xml").write_text(
        f"<yandex><logger><level>warning</level><log>{scratch}/log</log></logger><http_port>{PORT}</http_port>"
        f"<tcp_port>19000</tcp_port><listen_host>127.0.0.1</listen_host><path>{scratch}/data/</path><tmp_path>{scratch}/tmp/</tmp_path>"
        "<mark_cache_size>100000000</mark_cache_size><users_config>users.xml</users_config>"
        "<default_profile>default</default_profile><default_database>default</default_database></yandex>")
    process = subprocess.Popen(
        [program, f"--config-file={scratch}/config.xml"], env={"LD_LIBRARY_PATH": libraries},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            return process, ask("SELECT version()")
        except OSError:
            time.sleep(0.1)
    sys.exit("the server does not start: " + (scratch / "log").read_text())


def output(password, place, table="default.flows"):
    path = scratch / f"password-{password}"
    path.write_text(password)
    path.chmod(0o600)
    return f"clickhouse:http://{place};user=weir;password-file={path};table={table}"


def main():
    process, version = start()
    try:
        ask(TABLE % ", ".join(f"{name} UInt64" for name in SUMS))
        passed = http.server.ThreadingHTTPServer(("", 0), PassOn)
        threading.Thread(target=passed.serve_forever, daemon=True).start()
        # Each output has its own address, which identifies it.
        places = [f"127.0.0.{number}:{passed.server_address[1]}" for number in range(1, 5)]
        wrong, missing = output("wrong", places[1]), output("secret", places[2], "default.nowhere")
        dead = scratch / "dead.log"
        # A number is no date: the server answers with 500 and an error code.
        ask("CREATE TABLE default.narrow (start_time DateTime, packets_out Date) ENGINE = Log")
        narrow = output("secret", places[3], "default.narrow") + f";dead-letter={dead}"
        records, log = run_with_traffic(weir, scratch, output("secret", places[0]), wrong, missing, narrow)
        found = [int(number) for number in ask(f"SELECT count(), {', '.join(f'sum({name})' for name in SUMS)} FROM flows").split("\t")]
        wanted = [len(records)] + [sum(record[name] for record in records) for name in SUMS]
        assert found == wanted and wanted[0] > 200, (found, wanted)
        assert all(encoding == "gzip" for encoding, _ in PassOn.seen)
        assert {status for _, status in PassOn.seen} == {200, 401, 404, 500}, set(PassOn.seen)
        for part in [r"does not take the credentials \(401\) Code: 193", r"no such path \(404\) Code: 60", r"refuses records: 500 Code: 27"]:
            assert re.search(part, log), (part, log)
        letters = [json.loads(line) for line in dead.read_text().splitlines()]
        assert letters and all("500 Code: 27" in letter["reason"] for letter in letters)
        print(f"ClickHouse {version} over HTTP: {wanted[0]} records, gzip, sums equal; wrong password, missing table and bad values named")
    finally:
        process.kill()
        process.wait()


main()
