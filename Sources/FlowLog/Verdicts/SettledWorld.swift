import FlowModel

/// What was known some time ago: policies and labels that every part of the node has had the time to act on.
///
/// The agent and who enforces policies learn of a change at different times. Until both have, they may disagree without
/// either being wrong.
struct SettledWorld {
    /// Who had which address, and what policies decided.
    typealias Snapshots = (resolver: any EndpointResolver, evaluator: any PolicyEvaluator)

    /// Seconds that a change takes to reach everybody, at most.
    private static let grace: Int64 = 10

    /// What was known at least ``grace`` ago; in the first seconds, what was known first.
    private(set) var snapshots: Snapshots?
    private var next: (snapshots: Snapshots, since: Int64)?

    /// Notes what is known for the first time.
    mutating func begin(with snapshots: Snapshots) {
        if self.snapshots == nil { self.snapshots = snapshots }
    }

    /// Notes what is known now; to be called from time to time.
    mutating func note(_ snapshots: Snapshots, at seconds: Int64) {
        if let next, seconds >= next.since, seconds - next.since < Self.grace { return }
        self.snapshots = next?.snapshots ?? self.snapshots
        next = (snapshots, seconds)
    }

    /// Forgets all: nobody knows any policies.
    mutating func end() {
        (snapshots, next) = (nil, nil)
    }
}
