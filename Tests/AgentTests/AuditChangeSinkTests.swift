import Agent
import Audit
import Export
import FlowModel
import Foundation
import Synchronization
import Testing

/// The delivery of changes in audit logs to the store.
@Suite struct AuditChangeSinkTests {
    private final class Sink: AuditChangeSink {
        private let changes = Mutex<[AuditChange]>([])
        private let refused = Mutex<Int?>(nil)

        func take(_ changes: [AuditChange]) -> Bool {
            let isFull = refused.withLock { refused in
                if refused != nil { refused? += 1 }
                return refused != nil
            }
            guard !isFull else { return false }
            self.changes.withLock { $0 += changes }
            return true
        }

        func take(_ verdicts: [VerdictChange], of change: ChangeKey) -> Bool { true }

        /// Makes the sink refuse all changes, as on a full disk, or accept them again.
        func fill(_ isFull: Bool) { refused.withLock { $0 = isFull ? 0 : nil } }

        /// The number of refused calls.
        var refusals: Int { refused.withLock { $0 ?? 0 } }

        var all: [AuditChange] { changes.withLock { $0 } }
        var ids: [String] { all.map(\.event.auditID) }
    }

    private let folder: TemporaryFolder
    private let recorder = LogRecorder()
    private let sink = Sink()

    init() throws {
        folder = try TemporaryFolder()
    }

    private func start(_ edit: (inout AuditShipping) -> Void = { _ in }) throws -> AuditShipper {
        var shipping = AuditShipping()
        shipping.logs = [folder.file("kube-audit.log")]
        shipping.statePath = folder.file("state/audit.state")
        edit(&shipping)
        return try AuditShipper(shipping, sinks: [sink], logger: recorder.logger)
    }

    private func append(_ text: String) throws {
        let file = try #require(fopen(folder.file("kube-audit.log"), "a"))
        fputs(text, file)
        fclose(file)
    }

    @Test func deliversPolicyChangesOnceWithoutOutputs() throws {
        let denied = AuditLine.text("denied").replacing("201", with: "403")
        try append(
            AuditLine.text("1") + AuditLine.text("1") + AuditLine.text("secret", resource: "secrets") + "broken\n"
                + AuditLine.text("lease", resource: "leases") + AuditLine.text("pod", resource: "pods") + denied
        )
        let shipper = try start()
        #expect(eventually { sink.ids.count == 3 })
        try append(AuditLine.text("2"))
        #expect(eventually { sink.ids.count == 4 })
        shipper.finish()
        #expect(sink.ids == ["1", "pod", "denied", "2"])
        #expect(sink.all[2].outcome == .denied)
        #expect(shipper.counts.malformed == 1)
        // The next run resumes behind the last event that was read.
        try append(AuditLine.text("3"))
        let next = try start()
        #expect(eventually { sink.ids.count == 5 })
        next.finish()
        #expect(sink.ids.last == "3")
    }

    @Test func redactedChangesHaveNoDifferences() throws {
        try append(AuditLine.text("1"))
        let shipper = try start { $0.redacts = true }
        #expect(eventually { sink.ids == ["1"] })
        shipper.finish()
        #expect(sink.all[0].changes.isEmpty)
    }

    @Test func outputsReceiveAllEventsAndSinksPolicyChanges() throws {
        try append(AuditLine.text("1") + AuditLine.text("lease", resource: "leases"))
        let shipper = try start { $0.outputs = [OutputConfiguration(.file(path: folder.file("shipped.log")))] }
        #expect(eventually { shipper.counts.shipped == 2 && sink.ids == ["1"] })
        shipper.finish()
    }

    private func shipped() -> [String] {
        folder.lines("shipped.log").compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["auditID"] as? String
        }
    }

    @Test func sinkRefusalBlocksReadingUntilRetrySucceeds() throws {
        let output = { (shipping: inout AuditShipping) in
            shipping.outputs = [OutputConfiguration(.file(path: folder.file("shipped.log")))]
        }
        try append(AuditLine.text("1"))
        let shipper = try start(output)
        #expect(eventually { sink.ids == ["1"] })
        sink.fill(true)
        try append(AuditLine.text("2"))
        #expect(eventually { sink.refusals > 1 })
        try append(AuditLine.text("3"))
        #expect(shipped() == ["1", "2"])
        sink.fill(false)
        #expect(eventually { sink.ids == ["1", "2", "3"] })
        shipper.finish()
        #expect(shipped() == ["1", "2", "3"])
    }

    /// If the position were saved anyway, the store would never receive the changes.
    @Test func nextRunDeliversChangesThatSinkRefused() throws {
        let output = { (shipping: inout AuditShipping) in
            shipping.outputs = [OutputConfiguration(.file(path: folder.file("shipped.log")))]
        }
        try append(AuditLine.text("1"))
        let first = try start(output)
        #expect(eventually { sink.ids == ["1"] })
        sink.fill(true)
        try append(AuditLine.text("2"))
        #expect(eventually { sink.refusals > 0 })
        first.finish()
        sink.fill(false)
        try append(AuditLine.text("3"))
        let second = try start(output)
        #expect(eventually { sink.ids == ["1", "2", "3"] })
        second.finish()
        // The shipper truncated the file to the events that file and sink both had.
        #expect(shipped() == ["1", "2", "3"])
    }
}
