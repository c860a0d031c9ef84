package import FlowModel

/// The detail of the records for one reader: levels and parts.
package struct RecordDetail: Sendable, Hashable {
    /// The level of allowed flows (`flowLogsFileAggregationKindForAllowed`).
    package var levelForAllowed: AggregationLevel
    /// The level of denied flows (`flowLogsFileAggregationKindForDenied`).
    package var levelForDenied: AggregationLevel
    /// Whether records have labels (`flowLogsFileIncludeLabels`).
    package var includesLabels = true
    /// Whether records have policies (`flowLogsFileIncludePolicies`).
    package var includesPolicies = true
    /// Whether records have the service that was called (`flowLogsFileIncludeService`).
    package var includesService = true

    /// Takes the levels; all parts are included.
    package init(allowed: AggregationLevel = .podPrefix, denied: AggregationLevel = .sourcePort) {
        levelForAllowed = allowed
        levelForDenied = denied
    }

    /// The level for flows with a verdict.
    package func level(for action: FlowAction) -> AggregationLevel {
        action == .allow ? levelForAllowed : levelForDenied
    }

    /// Returns the detail with this number of further levels folded away, up to the highest level.
    package func raised(by steps: Int) -> RecordDetail {
        var raised = self
        let last = AggregationLevel.noDestinationPort
        raised.levelForAllowed = AggregationLevel(rawValue: levelForAllowed.rawValue + steps) ?? last
        raised.levelForDenied = AggregationLevel(rawValue: levelForDenied.rawValue + steps) ?? last
        return raised
    }

    /// Whether records of a verdict at a level must be folded to get this detail.
    package func folds(_ action: FlowAction, at level: AggregationLevel) -> Bool {
        self.level(for: action) > level || !includesPolicies || !includesService
    }

    /// Removes the parts of a record that a reader does not need.
    package func reduce(_ record: inout FlowRecord) {
        if !includesLabels { (record.source.labels, record.destination.labels) = (nil, nil) }
        if !includesPolicies { record.policies = nil }
        if !includesService { record.service = nil }
        let level = max(record.level, level(for: record.action))
        record.level = level
        if level >= .sourcePort { record.source.port = nil }
        if level >= .podPrefix { (record.source.address, record.destination.address) = (nil, nil) }
        if level >= .noDestinationPort { record.destination.port = nil }
    }
}
