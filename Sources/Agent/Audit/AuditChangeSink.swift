package import Audit
package import FlowModel

/// A receiver of the changes in audit logs, beside the outputs of their events, such as a store.
///
/// Changes that it cannot keep are passed again until it can: the logs are read no further before that. All calls come from the
/// thread that reads the logs.
package protocol AuditChangeSink: Sendable {
    /// Takes changes that concern policies; the changes of the last batch before the process was killed come a second time.
    ///
    /// - Returns: whether all of them are kept.
    func take(_ changes: [AuditChange]) -> Bool

    /// Takes the verdicts that a change affected: all of them each time that there are more, or more connections.
    ///
    /// - Returns: whether they are kept, or never will be.
    func take(_ verdicts: [VerdictChange], of change: ChangeKey) -> Bool
}
