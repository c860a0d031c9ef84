import FlowModel

/// An earlier state of the inventory that every part of the node has had time to apply.
///
/// The agent and the network plugin that enforces policies apply a change at different times. Until both have applied it, their
/// verdicts may differ without a fault of either.
struct SettledWorld {
    /// The owners of addresses, and the policies.
    typealias Snapshots = (resolver: any EndpointResolver, evaluator: any PolicyEvaluator)

    /// The maximum time until a change is applied everywhere, seconds.
    private static let grace: Int64 = 10

    /// Snapshots that are at least ``grace`` old; in the first seconds, the first snapshots.
    private(set) var snapshots: Snapshots?
    /// The snapshots that will replace ``snapshots``, and their age in seconds.
    private var next: (snapshots: Snapshots, age: Int64)?

    /// Sets the first snapshots, if there are none.
    mutating func begin(with snapshots: Snapshots) {
        if self.snapshots == nil { self.snapshots = snapshots }
    }

    /// Records the current snapshots; must be called repeatedly.
    ///
    /// - Parameters:
    ///   - snapshots: the current snapshots.
    ///   - seconds: the time since the last call; not by the wall clock, which may be set.
    mutating func note(_ snapshots: Snapshots, after seconds: Int64) {
        if let next {
            let age = next.age + seconds
            guard age >= Self.grace else { return self.next = (next.snapshots, age) }
            self.snapshots = next.snapshots
        }
        next = (snapshots, 0)
    }

    /// Removes all snapshots, because no policies are known.
    mutating func end() {
        (snapshots, next) = (nil, nil)
    }
}
