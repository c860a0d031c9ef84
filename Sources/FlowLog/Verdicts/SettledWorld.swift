import FlowModel

/// The inventory of some time ago: policies and labels that every part of the node has had the time to act on.
///
/// The agent and the enforcing network plugin apply a change at different times. Until both have, they may disagree
/// without either being wrong.
struct SettledWorld {
    /// The owners of addresses, and the policies.
    typealias Snapshots = (resolver: any EndpointResolver, evaluator: any PolicyEvaluator)

    /// The most seconds that a change takes to be applied everywhere.
    private static let grace: Int64 = 10

    /// The snapshots of at least ``grace`` ago; in the first seconds, the first ones.
    private(set) var snapshots: Snapshots?
    /// The snapshots that will replace it, and the seconds for which they have been known.
    private var next: (snapshots: Snapshots, age: Int64)?

    /// Notes what is known for the first time.
    mutating func begin(with snapshots: Snapshots) {
        if self.snapshots == nil { self.snapshots = snapshots }
    }

    /// Notes what is known now; to be called from time to time.
    ///
    /// - Parameters:
    ///   - snapshots: what is known.
    ///   - seconds: the time since the last call, not by the wall clock, which may be set.
    mutating func note(_ snapshots: Snapshots, after seconds: Int64) {
        if let next {
            let age = next.age + seconds
            guard age >= Self.grace else { return self.next = (next.snapshots, age) }
            self.snapshots = next.snapshots
        }
        next = (snapshots, 0)
    }

    /// Forgets everything: no policies are known.
    mutating func end() {
        (snapshots, next) = (nil, nil)
    }
}
