import CWeir
import Compression
import Foundation
import Lab
import Posix
import Synchronization
import Testing

@testable import Agent

/// Receives events as from API servers' webhook backends, sent by curl over HTTP and TLS.
@Suite(.serialized, .needsRoot)
struct AuditWebhookTests {
    private let folder: TemporaryFolder
    private let cable: Cable

    init() throws {
        folder = try TemporaryFolder()
        cable = try Cable()
    }

    private func start(
        _ options: [String] = [],
        output: String? = nil,
        listens: Bool = true,
        waitingFor text: String = "9466"
    ) throws -> WeirRun {
        let listen = listens ? ["--audit-listen", "9466"] : []
        let run = try WeirRun(
            in: cable.node,
            folder,
            ["--interface", "eth0", "--no-pin", "--http", "127.0.0.1:9464", "--socket", "off", "--host", "node-1"]
                + listen + [
                    "--audit-output", output ?? "file:" + folder.file("shipped.log"), "--audit-state",
                    folder.file("audit.state"),
                ] + options
        )
        if listens { try run.waitFor(text) }
        return run
    }

    private var post: AuditPost { AuditPost(folder: folder, node: cable.node, url: "http://127.0.0.1:9466/audit") }

    private func events() throws -> [[String: Any]] {
        try folder.lines("shipped.log").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func ids() throws -> [String] { try events().compactMap { $0["auditID"] as? String } }

    /// Returns the value of a metric of the run with a given result label.
    private func count(_ name: String, _ result: String) throws -> Int {
        let text = try cable.node.command(["curl", "-sS", "http://127.0.0.1:9464/metrics"])
        let line = text.split(separator: "\n").first { $0.hasPrefix("weir_audit_\(name)_total{result=\"\(result)\"}") }
        return try #require(line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) }, "\(text)")
    }

    @Test func keepsAcknowledgedEventsOnceAcrossRuns() throws {
        let first = try start()
        #expect(try post(["1", "2"]) == 200)
        #expect(try post(["2", "3", "3"]) == 200)
        #expect(try eventually { try ids().count == 3 })
        #expect(try count("webhook_events", "repeated") == 2)
        try first.finish()
        // The API server received no response, and sends the batch to the next run.
        let second = try start()
        #expect(try post(["3", "4"]) == 200)
        #expect(try eventually { try ids().count == 4 })
        try second.finish()
        #expect(try ids() == ["1", "2", "3", "4"])
        for event in try events() {
            #expect(event["kind"] as? String == "Event")
            #expect(event["host"] as? String == "node-1")
        }
        var status = stat()
        #expect(lstat(folder.file("audit.state.webhook.log"), &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    /// A later run ships acknowledged events that an output could not take, even if that run does not listen.
    @Test func laterRunShipsUndeliveredEventsFromJournal() throws {
        let away = try start(output: "unix:" + folder.file("reader.sock"))
        #expect(try post(["1", "2"]) == 200)
        // The output logs that it did not deliver its records.
        away.process.signal(SIGTERM)
        #expect(away.process.wait() == 0, "\(away.process.errors)")
        let later = try start(listens: false)
        #expect(try eventually { try ids() == ["1", "2"] })
        try later.finish()
    }

    @Test func journalHoldsNoEventsAboutSecrets() throws {
        let run = try start()
        let body = AuditPost.body([AuditLine.text("1", resource: "secrets", object: #""hidden""#), AuditLine.text("2")])
        #expect(try post(body) == 200)
        #expect(try eventually { try ids() == ["2"] })
        #expect(try count("webhook_events", "withheld") == 1)
        #expect(!folder.text("audit.state.webhook.log").contains("hidden"))
        try run.finish()
    }

    @Test func answersMalformedAndOversizedBodies() throws {
        let run = try start()
        let head = #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":"#
        let long = String(repeating: "x", count: 10 << 20)
        let bodies = [
            ("", 400), ("nonsense", 400), (head + #"[{"a":"#, 400), (String(repeating: "[", count: 200_000), 400),
            (String(repeating: #"{"a":"#, count: 200_000), 400), (head + #"[1,{},{"auditID":"x"}]}"#, 200),
            (head + "null}", 200), (AuditPost.body([AuditLine.text("long", object: "\"\(long)\"")]), 200),
            (String(repeating: "x", count: 33 << 20), 413),
        ]
        var chunked = post
        // The request has no Content-Length.
        chunked.options = ["-H", "Transfer-Encoding: chunked"]
        for (index, (body, status)) in bodies.enumerated() {
            #expect(try post(body) == status, "\(index)")
            #expect(try chunked(body) == status, "\(index), in chunks")
        }
        #expect(try post(["after"]) == 200)
        #expect(try eventually { try ids() == ["long", "after"] })
        #expect(try count("webhook_requests", "malformed") == 10)
        #expect(try count("webhook_requests", "too_large") == 2)
        #expect(try count("webhook_events", "malformed") == 6)
        #expect(try count("lines", "malformed") == 0)
        try run.finish()
    }

    /// The limit applies to the decompressed body, so that a small body cannot use much memory.
    @Test func decodesGzipBodies() throws {
        let run = try start()
        let body = try GzipCompressor.compress(Array(AuditPost.body([AuditLine.text("1"), AuditLine.text("2")]).utf8))
        let bomb = try GzipCompressor.compress([UInt8](repeating: 0x20, count: 33 << 20))
        let none = try GzipCompressor.compress([])
        let cases: [(String, [UInt8], Int)] = [
            ("gzip", body, 200), ("GZIP", body, 200), ("gzip", bomb, 413), ("gzip", body.dropLast(), 400),
            ("gzip", Array("nonsense".utf8), 400), ("gzip", [], 400), ("gzip", none, 400), ("br", body, 415),
            ("gzip, gzip", body, 415), ("identity", Array(AuditPost.body([AuditLine.text("3")]).utf8), 200),
        ]
        for (encoding, bytes, status) in cases {
            for options in [[], ["-H", "Transfer-Encoding: chunked"]] {
                var compressed = post
                compressed.options = ["-H", "Content-Encoding: \(encoding)"] + options
                #expect(try compressed(bytes: bytes) == status, "\(encoding), \(bytes.count) bytes")
            }
        }
        #expect(try eventually { try ids() == ["1", "2", "3"] })
        #expect(try count("webhook_requests", "too_large") == 2)
        try run.finish()
    }

    /// A body that does not arrive completely is not stored, even in part.
    @Test func discardsIncompleteRequestBody() throws {
        let run = try start()
        let body = AuditPost.body([AuditLine.text("1")])
        let chunk = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n"
        for (number, (head, piece)) in [("Content-Length: 100000", body), ("Transfer-Encoding: chunked", chunk)]
            .enumerated()
        {
            try cable.node.run {
                let connection = try Connection(to: 9466)
                try connection.send("POST /audit HTTP/1.1\r\nHost: x\r\n\(head)\r\n\r\n\(piece)")
                connection.close()
            }
            #expect(try eventually { try count("webhook_requests", "incomplete") == number + 1 })
        }
        #expect(try post(["2"]) == 200)
        #expect(try eventually { try ids() == ["2"] })
        try run.finish()
    }

    @Test func rejectsOtherMethodsAndPaths() throws {
        let run = try start()
        var other = post
        other.options = ["-X", "PUT"]
        #expect(try other(["1"]) == 405)
        other.options = ["-X", "GET"]
        #expect(try other(["1"]) == 404)
        #expect(try AuditPost(folder: folder, node: cable.node, url: post.url + "/more")(["1"]) == 404)
        #expect(try count("webhook_requests", "accepted") == 0)
        try run.finish()
    }

    @Test func keepsEachEventOfConcurrentRequestsOnce() throws {
        let run = try start()
        let senders = try (0..<40).map { sender in
            try post.start(AuditPost.body((0..<50).map { AuditLine.text("\(sender)-\($0)") }).utf8)
        }
        for sender in senders {
            #expect(sender.wait() == 0, "\(sender.errors)")
            #expect(sender.output == "200")
        }
        #expect(try eventually { try ids().count >= 2000 })
        try run.finish()
        #expect(try Set(ids()).count == 2000)
        #expect(try ids().count == 2000)
    }

    @Test func requiresClientCertificateAndToken() throws {
        for name in ["server", "client", "other"] {
            let made = try ChildProcess(
                [
                    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days",
                    "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                    folder.file("\(name).key"), "-out", folder.file("\(name).crt"),
                ],
                keepingIn: folder
            )
            #expect(made.wait() == 0, "\(made.errors)")
        }
        try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: folder.file("token")))
        for name in ["server.key", "token"] { chmod(folder.file(name), 0o600) }
        let run = try start(
            [
                "--audit-certificate", folder.file("server.crt"), "--audit-key", folder.file("server.key"),
                "--audit-client-ca", folder.file("client.crt"), "--audit-token-file", folder.file("token"),
            ],
            waitingFor: "https://127.0.0.1:9466"
        )
        var send = AuditPost(folder: folder, node: cable.node, url: "https://127.0.0.1:9466/audit")
        let server = ["--cacert", folder.file("server.crt")]
        let token = ["-H", "Authorization: Bearer 0123456789abcdef"]
        func certificate(_ name: String) -> [String] {
            ["--cert", folder.file("\(name).crt"), "--key", folder.file("\(name).key")]
        }
        send.options = server + token
        #expect(try send(["no certificate"]) == 0)
        send.options = server + token + certificate("other")
        #expect(try send(["another certificate"]) == 0)
        send.options = server + certificate("client")
        #expect(try send(["no token"]) == 401)
        #expect(try post(["no TLS"]) != 200)
        #expect(try eventually { try count("webhook_requests", "tls") == 3 })
        #expect(try count("webhook_requests", "unauthorized") == 1)
        for line in [
            "clients were not let in: the TLS handshake failed clients=1 last=127.0.0.1 reason=\"the client showed no certificate\"",
            "clients=2 last=127.0.0.1 reason=\"none of the given authorities has signed the client's certificate\"",
            "requests were refused: they do not have the token (401) last=127.0.0.1 requests=1",
        ] {
            try run.waitFor(line)
        }
        send.options = server + token + certificate("client")
        #expect(try send(["1"]) == 200)
        #expect(try eventually { try ids() == ["1"] })
        try run.finish()
    }

    @Test(arguments: [
        (["--audit-token-file", "open"], "everybody may read it"),
        (["--audit-token-file", "none"], "No such file"),
        (["--audit-client-ca", "open"], "needs TLS"),
        (["--audit-key", "open"], "belong together"),
        (["--audit-listen", "10.1.0.1:9466"], "others could read the events"),
        (
            ["--audit-certificate", "open", "--audit-key", "open", "--audit-listen", ":9466"],
            "others could forge events"
        ),
    ])
    func rejectsUnsafeConfiguration(_ options: [String], _ reason: String) throws {
        try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: folder.file("open")))
        chmod(folder.file("open"), 0o644)
        let listen = options.contains("--audit-listen") ? [] : ["--audit-listen", "9466"]
        let process = try cable.node.start(
            [
                WeirProgram.path, "run", "--no-pin", "--http", "off", "--socket", "off", "--audit-state",
                folder.file("audit.state"), "--audit-output", "file:" + folder.file("shipped.log"),
            ] + listen + options.map { $0 == "open" || $0 == "none" ? folder.file($0) : $0 },
            keepingIn: folder
        )
        #expect([1, 2].contains(process.wait()))
        #expect(process.errors.contains(reason), "\(process.errors)")
    }
}

/// The files in which the webhook keeps events.
@Suite struct AuditJournalTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private var path: String { folder.file("a.webhook.log") }

    @Test func truncatesIncompleteLastLine() throws {
        try Data("one\ntwo\nthr".utf8).write(to: URL(fileURLWithPath: path))
        let journal = try AuditJournal(path)
        #expect(folder.text("a.webhook.log") == "one\ntwo\n")
        #expect(journal.append(Array("four\n".utf8)).fault == nil)
        #expect(folder.text("a.webhook.log") == "one\ntwo\nfour\n")
        try Data(repeating: 0x61, count: 200_000).write(to: URL(fileURLWithPath: path))
        _ = try AuditJournal(path)
        #expect(folder.text("a.webhook.log").isEmpty)
    }

    /// The kernel reports a failed write to the disk once, and may drop the data.
    @Test func rewritesDataAfterFailedSync() throws {
        let failing = Mutex(0)
        let path = path
        let journal = try AuditJournal(path) { file throws(SystemError) in
            let fails = failing.withLock { count in
                count = max(0, count - 1)
                return count > 0
            }
            guard fails else { return try file.synchronize() }
            // A page that was never written is read back as zeros.
            try? Data(repeating: 0, count: (try? file.status().size) ?? 0).write(to: URL(fileURLWithPath: path))
            throw SystemError("fsync", code: EIO)
        }
        #expect(journal.append(Array("one\n".utf8)).fault == nil)
        let before = folder.text("a.webhook.log")
        failing.withLock { $0 = 3 }
        let failed = journal.append(Array("two\n".utf8))
        #expect(failed.fault?.code == EIO && failed.kept == 4)
        // The journal takes no more data while the sync fails.
        let refused = journal.append(Array("three\n".utf8))
        #expect(refused.fault?.code == EIO && refused.kept == 0)
        #expect(journal.append([]).fault == nil)
        #expect(folder.text("a.webhook.log").dropFirst(before.count) == "two\n")
        #expect(journal.append(Array("three\n".utf8)).fault == nil)
        #expect(folder.text("a.webhook.log").dropFirst(before.count) == "two\nthree\n")
    }

    @Test func rotatesFullFilesWithIncreasingNames() throws {
        #expect(AuditJournal.name(after: nil, of: "/x/a.log") == "/x/a-0000-00-00T00-00-00.001.log")
        #expect(
            AuditJournal.name(after: "/x/a-0000-00-00T00-00-09.999.log", of: "/x/a.log")
                == "/x/a-0000-00-00T00-00-10.000.log"
        )
        let journal = try AuditJournal(path)
        let piece = [UInt8](repeating: 0x61, count: AuditJournal.segment / 2) + [0x0a]
        for _ in 0..<7 { #expect(journal.append(piece).fault == nil) }
        #expect(
            folder.contents.sorted() == [
                "a.webhook-0000-00-00T00-00-00.001.log", "a.webhook-0000-00-00T00-00-00.002.log",
                "a.webhook-0000-00-00T00-00-00.003.log", "a.webhook.log",
            ]
        )
        #expect(journal.bytes == 7 * piece.count)
    }
}

/// Cases that need root: a full disk, and a killed process.
@Suite(.serialized, .needsRoot)
struct AuditWebhookRunTests {
    @Test func appendsRemainingLinesOnceAfterFullDisk() throws {
        let folder = try TemporaryFolder()
        let disk = folder.file("disk")
        mkdir(disk, 0o700)
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=2m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let journal = try AuditJournal(disk + "/a.log")
        let line = [UInt8](repeating: 0x61, count: 99_999) + [0x0a]
        var lines = (0..<30).flatMap { _ in line }
        let (kept, fault) = journal.append(lines)
        #expect(fault?.code == ENOSPC)
        #expect(kept > 0 && kept % line.count == 0)
        lines.removeFirst(kept)
        #expect(journal.append(lines).kept == 0)
        try #require(mount("tmpfs", disk, "tmpfs", UInt(MS_REMOUNT), "size=8m") == 0)
        #expect(journal.append(lines).fault == nil)
        let text = try String(contentsOfFile: disk + "/a.log", encoding: .utf8)
        let whole = text.split(separator: "\n").filter { $0.utf8.count == line.count - 1 }
        // The file contains every line once, and at most one partial line.
        #expect(whole.count == 30)
        #expect(text.split(separator: "\n").count <= 31)
    }

    @Test func deliversAcknowledgedEventsOnceAcrossKills() throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let arguments = [
            WeirProgram.path, "run", "--output", "file:" + folder.file("flows.log"), "--bpffs", bpffs.path,
            "--audit-listen", "127.0.0.1:9466", "--audit-output", "file:" + folder.file("shipped.log"), "--audit-state",
            folder.file("audit.state"), "--http", "off", "--socket", "off",
        ]
        let total = 200
        let sent = folder.file("sent")
        var process = try cable.node.start(arguments, keepingIn: folder)
        // Like an API server, the script sends each batch until the status is 200.
        let script = """
            for batch in $(seq \(total)); do
                until [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' --data-binary @\(folder.path)/batch-$batch \
            http://127.0.0.1:9466/audit)" = 200 ]; do sleep 0.02; done
                echo $batch >> \(sent)
            done
            """
        for batch in 1...total {
            let body = AuditPost.body((0..<5).map { AuditLine.text("\(batch)-\($0)") })
            try Data(body.utf8).write(to: URL(fileURLWithPath: folder.file("batch-\(batch)")))
        }
        let sender = try cable.node.start(["bash", "-c", script], keepingIn: folder)
        for _ in 0..<5 {
            usleep(UInt32.random(in: 200_000...1_000_000))
            #expect(!process.hasEnded, "\(process.errors)")
            process.signal(SIGKILL)
            _ = process.wait()
            process = try cable.node.start(arguments, keepingIn: folder)
        }
        #expect(sender.wait() == 0, "\(sender.errors)")
        let isDone = eventually { folder.text("shipped.log").contains("\"auditID\":\"\(total)-4\"") }
        #expect(isDone, "\(process.errors)")
        // A signal during the start would end the process.
        #expect(eventually { process.errors.contains("answering HTTP") || process.hasEnded })
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
        let ids = try folder.lines("shipped.log").map { line in
            let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            return try #require(event["auditID"] as? String)
        }
        #expect(ids == (1...total).flatMap { batch in (0..<5).map { "\(batch)-\($0)" } })
    }
}

/// A TCP connection to this host.
private struct Connection {
    private let number: Int32

    init(to port: Int) throws {
        number = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0)
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        try #require(write(number, bytes, bytes.count) == bytes.count)
    }

    func close() {
        Glibc.close(number)
        SpawnLock.barrier()
    }
}
