public import FlowModel
import Synchronization

/// Evaluates policies as of one moment.
///
/// Its results never change. The snapshots of a store share their caches, so that a new snapshot does not start with
/// empty ones; a lock makes the snapshots safe to use from any thread.
public final class PolicySnapshot: PolicyEvaluator {
    let world: PolicyWorld
    private let memory: EvaluatorMemory

    init(_ world: PolicyWorld, _ memory: EvaluatorMemory) {
        self.world = world
        self.memory = memory
    }

    /// Increases with every snapshot of any store whose results may differ.
    public var generation: UInt64 { world.generation }

    /// The traces of the two ends of a connection, after address translation.
    ///
    /// Both are nil while policies, or objects that they depend on, are unknown. Traces with the same contents are the
    /// same object. For ICMP, the destination port is `type << 8 | code`.
    public func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        guard world.isComplete else { return (nil, nil) }
        let query = PolicyQuery(packets, source, destination, world)
        guard query.source != nil || query.destination != nil else { return (nil, nil) }
        return memory.state.withLock { $0.traces(query, world) }
    }

    /// The traces, evaluated without the verdict cache, for measurements.
    public func tracesEvaluated(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        let query = PolicyQuery(packets, source, destination, world)
        guard query.source != nil || query.destination != nil else { return (nil, nil) }
        return memory.state.withLock { $0.tracesEvaluated(query, world) }
    }
}

/// The caches that the snapshots of a store share, protected by a lock.
final class EvaluatorMemory: Sendable {
    /// The caches.
    let state = Mutex(EvaluatorState())
}
