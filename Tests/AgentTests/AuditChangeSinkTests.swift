import Agent
import Audit
import Export
import FlowModel
import Foundation
import Synchronization
import Testing

/// Changes of audit logs on their way to the store.
@Suite struct AuditChangeSinkTests {
    private final class Sink: AuditChangeSink {
        private let changes = Mutex<[AuditChange]>([])

        func take(_ changes: [AuditChange]) { self.changes.withLock { $0 += changes } }

        func take(_ verdicts: [VerdictChange], of change: ChangeKey) {}

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

    @Test func withoutOutputsChangesThatConcernPoliciesArriveOnce() throws {
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
        // Another run goes on behind what was read.
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

    @Test func outputsAndSinksGetTheSameEvents() throws {
        try append(AuditLine.text("1") + AuditLine.text("lease", resource: "leases"))
        let shipper = try start { $0.outputs = [OutputConfiguration(.file(path: folder.file("shipped.log")))] }
        #expect(eventually { shipper.counts.shipped == 2 && sink.ids == ["1"] })
        shipper.finish()
    }
}
