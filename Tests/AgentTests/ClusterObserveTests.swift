import FlowModel
import Foundation
import Testing

/// `weir observe --kubeconfig`, with a server that plays the API server and its proxy to the agents.
@Suite struct ClusterObserveTests {
    private let folder: TemporaryFolder
    private let server: ChildProcess
    private let kubeconfig: String

    /// Lists five pods: one answers, one cannot be reached, one requires a token, one sends control characters, and one is
    /// pending.
    private static let program = #"""
        import http.server, json, sys, time, urllib.parse
        record = open(sys.argv[1]).read()
        def pod(name, node, phase="Running"):
            ports = [{"name": "http", "containerPort": 9999}]
            return {"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [{"ports": ports}]},
                    "status": {"phase": phase}}
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_): pass
            def answer(self, code, body):
                self.send_response(code); self.send_header("Content-Length", str(len(body))); self.end_headers()
                self.wfile.write(body)
            def do_GET(self):
                url = urllib.parse.urlsplit(self.path); query = urllib.parse.parse_qs(url.query)
                base = "/api/v1/namespaces/weir-system/pods"
                if url.path == base and query.get("labelSelector") == ["app.kubernetes.io/name=weir"]:
                    pods = [pod("weir-a", "node-a"), pod("weir-b", "node-b"), pod("weir-c", "node-c"),
                            pod("weir-d", "node-\u001b[31md"), pod("weir-e", "node-e", "Pending")]
                    return self.answer(200, json.dumps({"items": pods}).encode())
                name = url.path[len(base) + 1:].split("/")[0]
                if not url.path.endswith("/proxy/api/v1/live"): return self.answer(404, b"{}")
                if name == "weir-b:9999": return self.answer(502, json.dumps(
                    {"kind": "Status", "code": 502, "message": "dial tcp\u001b]0;x\u0007: refused"}).encode())
                if name == "weir-c:9999" and self.headers.get("X-Weir-Token") != "0123456789abcdef":
                    return self.answer(401, b"")
                if name == "weir-d:9999": return self.answer(200, b"nonsense\x1b[2J\n" + b"x" * 3000000 + b"\n")
                self.send_response(200); self.send_header("Connection", "close"); self.end_headers()
                lost = b'{"lost":3}\n' if "filter" not in query else b""
                self.wfile.write(b'{"time":1}\n' + lost + b'{"record":' + record.encode() + b"}\n")
                self.wfile.flush(); time.sleep(600)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """#

    init() throws {
        folder = try TemporaryFolder()
        let fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .action: "\"deny\"", .numFlows: "3",
            .sourceNameAggr: "\"evil\\u001b[2J\\u202e-*\"", .sourceType: "\"wep\"", .destNameAggr: "\"db-*\"",
            .destType: "\"wep\"", .destPort: "5432", .proto: "\"tcp\"",
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        let record = folder.file("record")
        try Data("{\(members.joined(separator: ","))}".utf8).write(to: URL(fileURLWithPath: record))
        let script = folder.file("server.py")
        try Data(Self.program.utf8).write(to: URL(fileURLWithPath: script))
        server = try ChildProcess(["/usr/bin/python3", script, record], keepingIn: folder)
        let process = server
        let isThere = eventually { process.output.contains("\n") || process.hasEnded }
        try #require(isThere && !server.hasEnded, "\(server.errors)")
        let port = server.output.trimmingCharacters(in: .whitespacesAndNewlines)
        kubeconfig = folder.file("config")
        let text = """
            {apiVersion: v1, kind: Config, current-context: c,
             contexts: [{name: c, context: {cluster: k, user: u}}],
             clusters: [{name: k, cluster: {server: "http://127.0.0.1:\(port)"}}], users: [{name: u, user: {}}]}
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: kubeconfig))
    }

    private func observe(_ options: [String]) throws -> ChildProcess {
        try ChildProcess([WeirProgram.path, "observe", "--kubeconfig", kubeconfig] + options, keepingIn: folder)
    }

    @Test func printsRecordsOfAllNodesAndNamesFailedNodes() throws {
        let process = try observe(["-o", "json"])
        let isShown = eventually {
            let errors = process.errors
            return process.output.contains("\n")
                && errors.contains("node-b does not answer: the API server does not reach it")
                && errors.contains("node-c does not answer: the agent requires a token")
                && errors.contains("node-e does not answer: its pod is Pending")
                && errors.contains("31md does not answer")
                || process.hasEnded
        }
        #expect(isShown, "\(process.output) \(process.errors)")
        #expect(process.errors.contains("-- 5 of 5 agents: node-"), "\(process.errors)")
        #expect(process.errors.contains("-- node-a: 3 records are missing here"))
        #expect(!process.errors.contains("\u{1b}") && !process.errors.contains("\u{7}"))
        let lines = process.output.split(separator: "\n")
        #expect(lines.count == 1 && lines.first?.hasPrefix("{\"host\":\"node-a\",\"start_time\":") == true, "\(lines)")
        process.signal(SIGINT)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    @Test func selectsNodesAndSendsToken() throws {
        let token = folder.file("token")
        try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: token))
        chmod(token, 0o644)
        let options = ["--node", "node-c", "--node", "node-x", "--token-file", token, "--denied", "--utc"]
        let refused = try observe(options)
        #expect(refused.wait() == 1)
        #expect(refused.errors.contains("everybody may read it, and it holds a secret; chmod"))
        chmod(token, 0o600)
        let process = try observe(options)
        let isShown = eventually { process.output.contains("db-*") || process.hasEnded }
        #expect(isShown, "\(process.errors)")
        #expect(process.errors.contains("-- node-x: no agent runs there"))
        #expect(!process.errors.contains("records are missing"), "\(process.errors)")
        #expect(process.output.contains("NODE") && process.output.contains("node-c"), "\(process.output)")
        #expect(process.output.contains("evil\\u{1b}[2J\\u{202e}-*") && !process.output.contains("\u{1b}"))
        process.signal(SIGINT)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    @Test func failsWithoutAgents() throws {
        let process = try observe(["--agents", "elsewhere"])
        #expect(process.wait() == 1)
        #expect(process.errors.hasPrefix("error: agents in namespace elsewhere: "), "\(process.errors)")
    }

    @Test(arguments: [
        ["--node", "x"], ["--kubeconfig", "x", "--since", "1h"], ["--kubeconfig", "x", "--agents", ""],
    ])
    func rejectsWrongUsage(_ options: [String]) throws {
        let process = try ChildProcess([WeirProgram.path, "observe"] + options, keepingIn: folder)
        #expect(process.wait() == 2, "\(process.errors)")
    }
}
