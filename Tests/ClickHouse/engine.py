"""ClickHouse's engine (chdb-core) with an HTTP interface like the server's: statements in, rows out."""

import base64
import gzip
import http.server
import pathlib
import queue
import threading
import urllib.parse

from chdb import session


class Engine:
    """The engine in a thread of its own, so that calls into the library do not overlap."""

    def __init__(self, folder):
        self.questions = queue.SimpleQueue()
        self.asked = []
        ready = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, args=(str(folder), ready))
        self.thread.start()
        if error := ready.get():
            raise error

    def _serve(self, folder, ready):
        try:
            server = session.Session(folder)
        except Exception as error:  # The constructor raises it.
            return ready.put(error)
        ready.put(None)
        while question := self.questions.get():
            statement, form, answer = question
            try:
                answer.put((str(server.query(statement, form)), None))
            except Exception as error:  # The caller of query raises it.
                answer.put((None, error))
        server.close()

    def query(self, statement, form="CSV"):
        answer = queue.SimpleQueue()
        self.asked.append(statement[:4000])
        self.questions.put((statement, form, answer))
        text, error = answer.get()
        if error:
            raise error
        return text

    def number(self, query):
        return int(self.query(query).strip() or 0)

    def run(self, statements):
        """Runs statements that end with semicolons at the ends of lines."""
        for statement in statements.split(";\n"):
            if statement.strip():
                self.query(statement.strip().rstrip(";"))

    def close(self):
        """Ends the engine before the interpreter ends: its threads do not survive that."""
        self.questions.put(None)
        self.thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as ClickHouse's HTTP interface does, for one user; settings are parameters of the URL."""

    protocol_version = "HTTP/1.1"
    engine = None
    credentials = base64.b64encode(b"reader:secret").decode()

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.headers.get("Authorization") != "Basic " + self.credentials:
            return self.answer(401, b"Code: 516. Authentication failed")
        try:
            self.answer(200, self.engine.query(self.statement(body.decode()), "JSONCompactStringsEachRow").encode())
        except Exception as error:  # The answer has the engine's message.
            self.answer(500, str(error).encode())

    def statement(self, body):
        settings = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        query = settings.pop("query", None)
        if query is None:
            return body
        head, form = query.split(" FORMAT ")
        settings = ", ".join(f"{name}='{value}'" for name, value in settings.items())
        return f"{head}{' SETTINGS ' if settings else ''}{settings} FORMAT {form} {body}"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(engine, scratch):
    """Starts the HTTP interface, and returns the server and an output of Weir to it."""
    Handler.engine = engine
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    password = pathlib.Path(scratch) / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    port = server.server_address[1]
    return server, f"clickhouse:http://127.0.0.1:{port};user=reader;password-file={password};table=default.flows"
