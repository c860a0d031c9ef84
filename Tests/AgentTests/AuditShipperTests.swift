import Agent
import Export
import Foundation
import Lab
import Synchronization
import Testing

/// The shipping of audit logs to outputs.
@Suite struct AuditShipperTests {
    private let folder: TemporaryFolder
    private let recorder = LogRecorder()

    init() throws {
        folder = try TemporaryFolder()
    }

    private func shipping(_ change: (inout AuditShipping) -> Void = { _ in }) throws -> AuditShipping {
        var shipping = AuditShipping()
        shipping.logs = [folder.file("kube-audit.log")]
        shipping.outputs = [OutputConfiguration(.file(path: folder.file("shipped.log")))]
        shipping.statePath = folder.file("state/audit.state")
        shipping.hostName = "node-1"
        change(&shipping)
        return shipping
    }

    private func append(_ text: String, to name: String = "kube-audit.log") throws {
        let path = folder.file(name)
        let file = try #require(fopen(path, "a"))
        fputs(text, file)
        fclose(file)
    }

    private func objects() throws -> [[String: Any]] {
        try folder.lines("shipped.log").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    private func ids() throws -> [String] { try objects().compactMap { $0["auditID"] as? String } }

    @Test func shipsEventsWithOriginAndWithoutCredentials() throws {
        try append(
            AuditLine.text("1") + "broken\n" + AuditLine.text("2", resource: "secrets") + AuditLine.text("3").dropLast()
        )
        let shipper = try AuditShipper(try shipping { $0.cluster = "prod" }, logger: recorder.logger)
        #expect(eventually { shipper.counts.shipped == 1 })
        try append("\n" + AuditLine.text("4"))
        #expect(eventually { shipper.counts.shipped == 3 })
        shipper.finish()
        #expect(try ids() == ["1", "3", "4"])
        #expect(shipper.counts.withheld == 1)
        #expect(shipper.counts.malformed == 1)
        let first = try #require(try objects().first)
        #expect(first["host"] as? String == "node-1")
        #expect(first["cluster"] as? String == "prod")
        #expect(first["@timestamp"] as? String == "2026-11-28T14:00:00.500000Z")
        #expect(recorder.has("are no audit events"))
    }

    @Test func nextRunResumesAndTruncatesUncommittedOutput() throws {
        try append(AuditLine.text("1") + AuditLine.text("2"))
        let first = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(eventually { first.counts.shipped == 2 })
        first.finish()
        // The output of a run that was killed after it wrote these lines and before it saved its position.
        try append(AuditLine.text("3"))
        try append(#"{"auditID":"3"}"# + "\n" + #"{"audit"#, to: "shipped.log")
        try append(AuditLine.text("4"))
        let second = try AuditShipper(try shipping { $0.redacts = true }, logger: recorder.logger)
        #expect(eventually { second.counts.shipped == 2 })
        second.finish()
        #expect(try ids() == ["1", "2", "3", "4"])
        #expect(try objects().last?["requestObject"] is NSNull)
        #expect(recorder.has("removed the last audit events of a run that died"))
    }

    @Test(arguments: [
        ("file:/x", false), ("elasticsearch:http://search:9200;index=audit.{date}", false),
        ("file:/x;max-size=1M", false),
        ("clickhouse:http://db:8123", false), ("file:/x;with-host", false), ("file:/x;filter=bytes_in > 0", true),
    ])
    func onlyFilterOptionSelectsRecords(_ text: String, _ selects: Bool) throws {
        #expect(try OutputConfiguration(parsing: text).selectsRecords == selects)
    }

    /// After a run ends before it commits a batch, the next run sends the same batch again, and no larger one.
    @Test func nextRunRepeatsInFlightBatchUnchanged() throws {
        try append(AuditLine.text("1") + AuditLine.text("2"))
        let socket = folder.file("reader.sock")
        let away = try shipping { $0.outputs.append(OutputConfiguration(.unix(path: socket))) }
        let first = try AuditShipper(away, logger: recorder.logger)
        #expect(eventually { folder.text("state/audit.state").contains("\nbatch ") })
        first.finish()
        let before = folder.text("state/audit.state").split(separator: "\n").first { $0.hasPrefix("batch ") }
        try append(AuditLine.text("3"))
        let second = try AuditShipper(away, logger: recorder.logger)
        #expect(eventually { folder.text("shipped.log").contains(#""auditID":"2""#) })
        second.finish()
        #expect(!folder.text("shipped.log").contains(#""auditID":"3""#))
        let after = folder.text("state/audit.state").split(separator: "\n").first { $0.hasPrefix("batch ") }
        #expect(before != nil && before == after)
        let third = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(eventually { third.counts.shipped == 3 })
        third.finish()
        #expect(try ids() == ["1", "2", "3"])
    }

    /// If the state cannot be written after a delivery, its next write includes the batch, as one batch.
    @Test func retriesFailedWriteOfState() throws {
        func flush() -> Int? {
            let noted = folder.lines("state/audit.state").first { $0.hasPrefix("noted ") }
            return noted?.split(separator: " ").last.flatMap { Int($0) }
        }
        try append(AuditLine.text("1"))
        let shipper = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(eventually { flush() == 1 })
        #expect(rename(folder.file("state"), folder.file("away")) == 0)
        try append(AuditLine.text("2"))
        #expect(eventually { shipper.counts.shipped == 2 && recorder.has("cannot be noted") })
        #expect(rename(folder.file("away"), folder.file("state")) == 0)
        #expect(eventually { flush() == 2 })
        shipper.finish()
        let again = try AuditShipper(try shipping(), logger: recorder.logger)
        again.finish()
        #expect(try ids() == ["1", "2"])
    }

    @Test func rejectsSecondShipperForSameState() throws {
        let first = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(throws: AgentError.self) { try AuditShipper(try shipping(), logger: recorder.logger) }
        first.finish()
    }

    @Test func unavailableOutputLosesNoEvents() throws {
        let socket = folder.file("reader.sock")
        let away = try shipping { $0.outputs = [OutputConfiguration(.unix(path: socket))] }
        try append(
            (0..<5000).map { AuditLine.text("\($0)", object: "\"\(String(repeating: "x", count: 1000))\"") }.joined()
        )
        let shipper = try AuditShipper(away, logger: recorder.logger)
        #expect(eventually { recorder.has("away") || recorder.has("connect") || recorder.has("reader.sock") })
        shipper.finish()
        #expect(shipper.counts.shipped == 0)
        #expect(shipper.counts.read < 5000, "no more is read than the queue of the output takes")
        // No event counts as shipped: a later run with another output ships all of them.
        let file = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(eventually { file.counts.shipped == 5000 })
        file.finish()
        #expect(try ids() == (0..<5000).map(String.init))
    }
}

/// `weir run` with an audit log, killed repeatedly.
@Suite(.serialized, .needsRoot)
struct AuditKillTests {
    /// A file, a server that has a spool, and a slow one that has none: most kills hit a batch that is in flight.
    @Test func everyEventArrivesOnceAcrossKillsAndRotations() throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let direct = try SearchServer(in: cable.node, port: 9200, delay: 200_000)
        let spooled = try SearchServer(in: cable.node, port: 9201)
        let log = folder.file("kube-audit.log")
        let arguments = [
            "--output", "file:" + folder.file("flows.log"), "--bpffs", bpffs.path, "--audit-log", log,
            "--audit-output", "file:" + folder.file("shipped.log"),
            "--audit-output", "elasticsearch:" + direct.url + ";gzip=off",
            "--audit-output", "elasticsearch:" + spooled.url + ";gzip=off;spool=" + folder.file("spool"),
            "--audit-state", folder.file("audit.state"),
        ]
        let total = 3000
        // Every event that is written from here on must arrive.
        var process = try start(arguments, in: cable.node, folder)
        #expect(eventually { folder.has("audit.state") || process.hasEnded }, "\(process.errors)")
        let writer = try BackgroundWork<Void> { Self.write(total, to: log) }
        var discarded = 0
        for _ in 0..<8 {
            usleep(UInt32.random(in: 100_000...1_500_000))
            #expect(!process.hasEnded, "\(process.errors)")
            process.signal(SIGKILL)
            _ = process.wait()
            process = try start(arguments, in: cable.node, folder)
            #expect(eventually { process.errors.contains("watching ") || process.hasEnded }, "\(process.errors)")
            if process.errors.contains("discarded the last records") { discarded += 1 }
        }
        try writer.value()
        let last = "\"auditID\":\"\(total - 1)\""
        let isDone = eventually(within: .seconds(60)) {
            folder.text("shipped.log").contains(last)
                && [direct, spooled].allSatisfy { $0.records.contains { $0.contains(last) } }
        }
        #expect(isDone, "\(process.errors)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
        try direct.end()
        try spooled.end()
        #expect(try ids(folder.lines("shipped.log").map(String.init)) == Array(0..<total))
        for server in [direct, spooled] {
            // The server stores events by identifier: an event with two identifiers would be there twice.
            #expect(try ids(server.records).sorted() == Array(0..<total))
            #expect(server.faults.conflicts == 0)
        }
        print("\(direct.faults.repetitions) events came again with their identifiers; \(discarded) runs discarded some")
    }

    private func ids(_ lines: [String]) throws -> [Int] {
        try lines.map { line in
            let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require((event?["auditID"] as? String).flatMap { Int($0) })
        }
    }

    /// Writes a log as an API server does, with its rotation (lumberjack): a new name with the time, and a new file.
    private static func write(_ total: Int, to log: String) {
        for number in 0..<total {
            guard let file = fopen(log, "a") else { continue }
            fputs(AuditLine.text("\(number)"), file)
            fclose(file)
            if number % 150 == 149 {
                let time = String(format: "2026-11-28T14-%02d-00.000", number / 150)
                rename(log, log.replacing("kube-audit.log", with: "kube-audit-\(time).log"))
            }
            usleep(2000)
        }
    }

    private func start(
        _ arguments: [String],
        in namespace: NetworkNamespace,
        _ folder: TemporaryFolder
    ) throws -> ChildProcess {
        try namespace.start([WeirProgram.path, "run"] + arguments, keepingIn: folder)
    }
}
