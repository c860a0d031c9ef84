public import FlowModel
import Synchronization

/// Says what policies decide, as of one moment.
///
/// What it says never changes. Snapshots of a store share what they have found out about endpoints and policies, so that
/// a new one does not begin from nothing; a lock around that lets them be used from any thread.
public final class PolicySnapshot: PolicyEvaluator {
    let world: PolicyWorld
    private let memory: EvaluatorMemory

    init(_ world: PolicyWorld, _ memory: EvaluatorMemory) {
        self.world = world
        self.memory = memory
    }

    /// Grows with every snapshot of any store that may answer differently.
    public var generation: UInt64 { world.generation }

    /// What policies decide at the two ends of a connection, after address translation.
    ///
    /// Nothing while policies, or what they depend on, are not known. Traces with the same contents are the same object. For ICMP the destination port is `type << 8 | code`.
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

    /// The same, without using what is remembered of connections that are alike: for measurements.
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

/// What the snapshots of a store have found out, behind a lock.
final class EvaluatorMemory: Sendable {
    /// What they have found out.
    let state = Mutex(EvaluatorState())
}
