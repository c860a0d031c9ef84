public import FlowModel

/// The amount of detail that the flow log keeps.
public struct FlowLogConfiguration: Sendable {
    /// The level for allowed flows (`flowLogsFileAggregationKindForAllowed`).
    public var levelForAllowed: AggregationLevel
    /// The level for denied flows (`flowLogsFileAggregationKindForDenied`).
    public var levelForDenied: AggregationLevel

    /// Whether rules of the packet filter log their verdicts (``FlowBatch/verdicts``).
    public var readsLoggedVerdicts: Bool
    /// Whether denied packets are recorded from entries of logging rules (``FlowBatch/verdicts``).
    ///
    /// For kernels that do not report drops; otherwise the entries only show which rule decided.
    public var recordsLoggedDenials: Bool

    /// Whether records are divided by the processes that own the flows' sockets.
    public var dividesProcesses: Bool

    /// The name of this host's node, whose host endpoints may have policies for forwarded traffic; nil if it is not known.
    public var node: String?

    /// The maximum memory of flows, their names and groups, in bytes; nil for no limit.
    ///
    /// Beyond the limit, flows of the interfaces that use the most memory are counted in less detail.
    public var memoryLimit: Int?

    /// Takes all members.
    public init(
        levelForAllowed: AggregationLevel = .podPrefix,
        levelForDenied: AggregationLevel = .sourcePort,
        readsLoggedVerdicts: Bool = false,
        recordsLoggedDenials: Bool = false,
        dividesProcesses: Bool = false,
        node: String? = nil,
        memoryLimit: Int? = nil
    ) {
        self.levelForAllowed = levelForAllowed
        self.levelForDenied = levelForDenied
        self.readsLoggedVerdicts = readsLoggedVerdicts
        self.recordsLoggedDenials = recordsLoggedDenials
        self.dividesProcesses = dividesProcesses
        self.node = node
        self.memoryLimit = memoryLimit
    }

    /// The level for flows with one of the verdicts.
    func level(for action: FlowAction) -> AggregationLevel {
        switch action {
        case .allow: levelForAllowed
        case .deny: levelForDenied
        }
    }
}
