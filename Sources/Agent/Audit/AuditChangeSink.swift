package import Audit

/// Who gets the changes of audit logs, beside the outputs of their events.
package protocol AuditChangeSink: Sendable {
    /// Takes changes that concern policies, on the thread that reads the logs; those of the last batch before the process was
    /// killed come a second time.
    func take(_ changes: [AuditChange])
}
