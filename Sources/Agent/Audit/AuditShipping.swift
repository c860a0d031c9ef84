import Export
package import Server

/// The audit logs to ship, their destinations, and the way to ship them.
package struct AuditShipping: Sendable {
    /// The files in which Calico stores API servers' logs; followed by default.
    package static let usualLogs = ["/var/log/calico/audit/kube-audit.log", "/var/log/calico/audit/tsee-audit.log"]
    /// The default path of the state file.
    package static let usualState = "/var/lib/weir/audit.state"

    /// The default data stream of Elasticsearch and OpenSearch.
    package static let defaultIndex = IndexSchema.defaultAuditIndex
    /// The default table of ClickHouse.
    package static let defaultTable = ColumnSchema.defaultAuditTable

    /// The logs.
    package var logs: [String] = []
    /// The outputs of events.
    package var outputs: [OutputConfiguration] = []
    /// The server that API servers' webhook backends send events to; nil for none.
    package var webhook: HTTPServerConfiguration?
    /// The file that stores the positions up to which the logs were read.
    package var statePath = AuditShipping.usualState
    /// The name of this host.
    package var hostName = ""
    /// The name of the cluster; nil to leave it out.
    package var cluster: String?
    /// Whether the objects of events are left out.
    package var redacts = false

    /// Whether a run fails to start if the logs cannot be shipped; otherwise it logs a warning.
    package var isRequired = true

    /// Whether changes are joined with verdicts, even without sinks.
    package var joinsVerdicts = false

    /// Creates a configuration that ships nothing.
    package init() {}

    /// The file of events that the webhook received, beside the state, which belongs to one process.
    var journalPath: String { statePath + ".webhook.log" }
}

extension OutputConfiguration {
    /// Whether it has options that apply only to flow records, such as filters.
    package var selectsRecords: Bool {
        var selection = selection
        // Audit events always have host and time.
        selection.isWithHost = false
        return selection != RecordSelection()
    }
}

/// Counts of the lines of audit logs, by their outcome.
package struct AuditShippingCounts: Sendable, Hashable {
    /// Events that were read, and whose changes the sinks have stored.
    package var read = 0
    /// Events that were passed to the outputs.
    package var shipped = 0
    /// Events about credentials, which were not passed.
    package var withheld = 0
    /// Lines that are not events.
    package var malformed = 0
    /// Lines that are too long.
    package var tooLong = 0
    /// Changes that concern policies.
    package var changes = 0
    /// The number of times that the position to continue from no longer existed.
    package var gaps = 0
}
