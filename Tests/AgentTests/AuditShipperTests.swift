import Agent
import Export
import Foundation
import Lab
import Synchronization
import Testing

/// Audit logs on their way to outputs.
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

    @Test func eventsArriveWithOriginAndWithoutCredentials() throws {
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

    @Test func anotherRunGoesOnAndCutsOffWhatWasNotNoted() throws {
        try append(AuditLine.text("1") + AuditLine.text("2"))
        let first = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(eventually { first.counts.shipped == 2 })
        first.finish()
        // What a run had written when it was killed, before it noted that.
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
    func filtersAreForFlowRecords(_ text: String, _ selects: Bool) throws {
        #expect(try OutputConfiguration(parsing: text).selectsRecords == selects)
    }

    @Test func aStateHasOneOwner() throws {
        let first = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(throws: AgentError.self) { try AuditShipper(try shipping(), logger: recorder.logger) }
        first.finish()
    }

    @Test func whileAnOutputIsAwayNothingIsReadBeyondOneBatch() throws {
        let socket = folder.file("reader.sock")
        let away = try shipping { $0.outputs = [OutputConfiguration(.unix(path: socket))] }
        try append(
            (0..<5000).map { AuditLine.text("\($0)", object: "\"\(String(repeating: "x", count: 1000))\"") }.joined()
        )
        let shipper = try AuditShipper(away, logger: recorder.logger)
        #expect(eventually { recorder.has("away") || recorder.has("connect") || recorder.has("reader.sock") })
        shipper.finish()
        #expect(shipper.counts.shipped == 0)
        #expect(try String(contentsOfFile: folder.file("kube-audit.log"), encoding: .utf8).count > 5_000_000)
        // Nothing was noted as shipped: a later run with another output has all of it.
        let file = try AuditShipper(try shipping(), logger: recorder.logger)
        #expect(eventually { file.counts.shipped == 5000 })
        file.finish()
        #expect(try ids() == (0..<5000).map(String.init))
    }
}

/// `weir run` with an audit log, killed again and again.
@Suite(.serialized, .needsRoot)
struct AuditKillTests {
    @Test func everyEventArrivesOnceAcrossKillsAndRotations() throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let log = folder.file("kube-audit.log")
        let arguments = [
            "--output", "file:" + folder.file("flows.log"), "--bpffs", bpffs.path, "--audit-log", log, "--audit-output",
            "file:" + folder.file("shipped.log"), "--audit-state", folder.file("audit.state"),
        ]
        let total = 3000
        // From here on every event counts.
        var process = try start(arguments, in: cable.node, folder)
        #expect(eventually { folder.has("audit.state") || process.hasEnded }, "\(process.errors)")
        let writer = try BackgroundWork<Void> {
            for number in 0..<total {
                guard let file = fopen(log, "a") else { continue }
                fputs(AuditLine.text("\(number)"), file)
                fclose(file)
                // The API server's rotation (lumberjack): a new name with the time, and a new file.
                if number % 150 == 149 {
                    let time = String(format: "2026-11-28T14-%02d-00.000", number / 150)
                    rename(log, log.replacing("kube-audit.log", with: "kube-audit-\(time).log"))
                }
                usleep(2000)
            }
        }
        for _ in 0..<6 {
            usleep(UInt32.random(in: 100_000...1_500_000))
            #expect(!process.hasEnded, "\(process.errors)")
            process.signal(SIGKILL)
            _ = process.wait()
            process = try start(arguments, in: cable.node, folder)
        }
        try writer.value()
        let isDone = eventually { folder.text("shipped.log").contains("\"auditID\":\"\(total - 1)\"") }
        #expect(isDone, "\(process.errors)")
        // The process before it may have shipped all: a signal ends this one before it has handlers.
        #expect(eventually { process.errors.contains("watching ") || process.hasEnded }, "\(process.errors)")
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
        let ids = try folder.lines("shipped.log").compactMap { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])["auditID"]
                as? String
        }
        #expect(ids == (0..<total).map(String.init))
    }

    private func start(
        _ arguments: [String],
        in namespace: NetworkNamespace,
        _ folder: TemporaryFolder
    ) throws -> ChildProcess {
        try namespace.start([WeirProgram.path, "run"] + arguments, keepingIn: folder)
    }
}
