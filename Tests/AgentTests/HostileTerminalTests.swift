import Foundation
import Testing

/// Output for programs, audit logs and an agent's status, with hostile names, on a terminal.
@Suite struct HostileTerminalTests {
    private let folder: TemporaryFolder
    private let files: [String: String]

    init() throws {
        folder = try TemporaryFolder()
        let texts = [
            "FLOWS": HostileNames.records, "AUDIT": HostileNames.auditLog, "BANK": PolicyInventory.bank,
            "STATUS": HostileNames.status,
        ]
        var files: [String: String] = [:]
        for (name, text) in texts {
            files[name] = folder.file(name.lowercased())
            try text.write(toFile: folder.file(name.lowercased()), atomically: true, encoding: .utf8)
        }
        self.files = files
    }

    /// Returns the text that arrives at a terminal, without Weir's own colours.
    private func shown(_ words: [String]) throws -> String {
        let process = try ChildProcess(
            ["/usr/bin/python3", "-c", HostileNames.terminal, "100", WeirProgram.path] + words.map { files[$0] ?? $0 },
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        return process.output.replacing(/\u{1b}\[[0-9;]*m/, with: "")
    }

    @Test(arguments: [
        ["observe", "--from", "FLOWS", "-o", "json"], ["observe", "--from", "FLOWS", "-o", "csv"],
        ["query", "--from", "FLOWS", "--group-by", "source,rule,source_labels", "-o", "json"],
        ["query", "--from", "FLOWS", "--group-by", "source,dest_domains,process_name", "-o", "json"],
        ["query", "--from", "FLOWS", "--group-by", "source,rule,dest_domains", "-o", "csv"],
        ["query", "--from", "FLOWS", "--group-by", "source,rule,dest_domains"],
        ["top", "denied", "--from", "FLOWS", "-o", "json"], ["top", "denied", "--from", "FLOWS", "-o", "csv"],
        ["policy", "preview", "--inventory", "BANK", "--flows", "FLOWS", "--enforce-staged", "-o", "json"],
        ["policy", "trace", "--inventory", "BANK", "--flows", "FLOWS"],
        ["audit", "tail", "AUDIT"], ["audit", "tail", "AUDIT", "-o", "json"], ["audit", "tail", "AUDIT", "-o", "raw"],
        ["audit", "changes", "AUDIT"], ["audit", "changes", "AUDIT", "-o", "json"],
        ["audit", "changes", "AUDIT", "-o", "raw"], ["audit", "explain", "0", "AUDIT"],
        ["audit", "explain", "1", "AUDIT"],
        ["audit", "check", "AUDIT"], ["audit", "explain", "\u{1b}[2J\u{202e}", "AUDIT"],
        ["report", "policy-audit", "AUDIT"], ["report", "policy-audit", "--format", "json", "AUDIT"],
        ["report", "policy-audit", "--format", "yaml", "AUDIT"],
        ["config", "check", "AUDIT"], ["config", "check", "\u{1b}[2J\u{202e}"], ["inventory", "check", "AUDIT"],
        ["status", "--socket", "\u{1b}[2J\u{202e}"], ["doctor", "--interface", "\u{1b}[2J\u{202e}"],
        ["ui", "--from", "\u{1b}[2J\u{202e}"], ["\u{1b}[2J\u{202e}"],
    ])
    func outputContainsNoHarmfulCharacters(_ words: [String]) throws {
        let text = try shown(words)
        let harm = HostileNames.harm(in: text)
        #expect(harm.isEmpty, "\(harm.prefix(5)) in \(text.debugDescription.prefix(2000))")
        #expect(!text.isEmpty)
    }

    /// The program behind the socket may not be an agent: its answers are not trusted either.
    @Test(arguments: [["status"], ["status", "-o", "json"]]) func escapesAgentAnswers(_ words: [String]) throws {
        let socket = folder.file("socket")
        let agent = try ChildProcess(
            ["/usr/bin/python3", "-c", Self.agent, socket, files["STATUS"] ?? ""],
            keepingIn: folder
        )
        try #require(eventually { FileManager.default.fileExists(atPath: socket) || agent.hasEnded }, "\(agent.errors)")
        let text = try shown(words + ["--socket", socket])
        #expect(text.contains("NOT READY") || text.contains("\"ailments\""), "\(text)")
        #expect(text.contains("1b"))
        #expect(HostileNames.harm(in: text).isEmpty, "\(text.debugDescription.prefix(2000))")
    }

    /// Answers every request at a Unix socket with the text of a file; the socket gets its name when it listens.
    private static let agent = """
        import http.server, os, socketserver, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = open(sys.argv[2], "rb").read()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def address_string(self): return "-"
        server = socketserver.ThreadingUnixStreamServer(sys.argv[1] + ".new", Handler)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        server.serve_forever()
        """
}
