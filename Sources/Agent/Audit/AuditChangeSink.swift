package import Audit
package import FlowModel

/// A receiver of the changes in audit logs, beside the outputs of their events, such as a store.
///
/// Changes that a sink cannot store are passed again until it stores them; until then, no further lines of the logs are read.
/// All calls come from the thread that reads the logs.
package protocol AuditChangeSink: Sendable {
    /// Takes changes that concern policies; after the process was killed, the changes of its last batch are passed again.
    ///
    /// - Returns: whether all of them are stored.
    func take(_ changes: [AuditChange]) -> Bool

    /// Takes all verdicts that a change affected, each time that there are more verdicts or more connections.
    ///
    /// - Returns: false if they could not be stored and must be passed again.
    func take(_ verdicts: [VerdictChange], of change: ChangeKey) -> Bool
}
