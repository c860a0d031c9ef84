public import FlowModel

/// How much detail the flow log keeps.
public struct FlowLogConfiguration: Sendable {
    /// The level for flows that went through (`flowLogsFileAggregationKindForAllowed`).
    public var levelForAllowed: AggregationLevel
    /// The level for flows that were dropped by a decision (`flowLogsFileAggregationKindForDenied`).
    public var levelForDenied: AggregationLevel

    /// Takes both levels.
    public init(levelForAllowed: AggregationLevel = .podPrefix, levelForDenied: AggregationLevel = .sourcePort) {
        self.levelForAllowed = levelForAllowed
        self.levelForDenied = levelForDenied
    }

    /// The level for flows with one of the verdicts.
    func level(for action: FlowAction) -> AggregationLevel {
        switch action {
        case .allow: levelForAllowed
        case .deny: levelForDenied
        }
    }
}
