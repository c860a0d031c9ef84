import API
import Agent
import ClusterModel
import ClusterSource
import Policy
import Query
import Synchronization

/// The policies of a run for responses of its API; each uses the state at the time of its request.
final class RunPolicies: ClusterObserver {
    private struct State {
        var directory = PolicyDirectory()
        /// A number that grows with every change.
        var version: UInt64 = 0
        var made: Made?
    }

    /// The parts that responses share, because their preparation costs more than most responses.
    private struct Made: Sendable {
        var version: UInt64
        var time: ContinuousClock.Instant
        var known: KnownPolicies
    }

    private let state = Mutex(State())

    /// The time for which responses may be out of date after changes of policies and pods: a large cluster changes
    /// continuously.
    private static let age = Duration.seconds(2)
    /// The time for which prepared policies stay in memory without a request.
    private static let rest = Duration.seconds(60)

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        state.withLock { state in
            state.directory.apply(changes, from: source)
            state.version += 1
            if let made = state.made, made.time.duration(to: .now) > Self.rest { state.made = nil }
        }
    }

    /// Returns the present policies.
    ///
    /// - Parameter tap: provides the inventory of the run.
    /// - Returns: no policies until the run has received all of them.
    func known(_ tap: InventoryTap) -> KnownPolicies {
        let (fresh, directory, version) = state.withLock { state in
            let isFresh = state.made.map { $0.version == state.version || $0.time.duration(to: .now) < Self.age }
            return (isFresh == true ? state.made?.known : nil, state.directory, state.version)
        }
        if let fresh { return fresh }
        guard let known = tap.known else { return KnownPolicies() }
        let sources = PolicySources(known.inventory, known.policies, directory)
        let policies = KnownPolicies(rules: InventoryRules(sources), previews: InventoryPreview(sources))
        state.withLock { $0.made = Made(version: version, time: .now, known: policies) }
        return policies
    }
}
