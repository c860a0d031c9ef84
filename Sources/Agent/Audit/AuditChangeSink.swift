package import Audit
package import FlowModel

/// A receiver of the changes in audit logs, beside the outputs of their events.
package protocol AuditChangeSink: Sendable {
    /// Takes changes that concern policies, on the thread that reads the logs; those of the last batch before the process was
    /// killed come a second time.
    func take(_ changes: [AuditChange])

    /// Takes the verdicts that a change changed: all of them each time that there are more, or more connections.
    func take(_ verdicts: [VerdictChange], of change: ChangeKey)
}
