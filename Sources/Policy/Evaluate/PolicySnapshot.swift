package import ClusterModel
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

    /// Whether any policy or network set has domain names.
    public var usesDomains: Bool { world.usesDomains }

    /// Whether enforced policies may govern traffic that a node forwards between interfaces with host endpoints.
    ///
    /// - Parameter node: the name of the node.
    /// - Returns: false if the node has no host endpoint, or no policy has `applyOnForward`; nil while not all are known.
    public func governsForwardedTraffic(ofNode node: String) -> Bool? {
        guard world.isComplete else { return nil }
        return world.global.governsForwarded && !world.hostEndpoints.of(node).isEmpty
    }

    /// The policies of existing tiers that govern forwarded traffic, enforced and staged.
    package var forwardedTrafficPolicies: Set<ObjectReference> {
        Set(world.global.policies.filter { $0.policy.hooks != [.end] }.map(\.policy.reference))
    }

    /// The traces of the two ends of a connection, after address translation.
    ///
    /// Both are nil while policies, or objects that they depend on, are unknown. Traces with the same contents are the
    /// same object. For ICMP, the destination port is `type << 8 | code`. While domain names are unknown, no rule with
    /// domain names matches.
    public func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint,
        domains: DestinationDomains = .unknown
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        guard world.isComplete else { return (nil, nil) }
        let query = PolicyQuery(packets, source, destination, domains, world)
        guard query.source != nil || query.destination != nil else { return (nil, nil) }
        return memory.state.withLock { $0.traces(query, world) }
    }

    /// Evaluates the host endpoint's policies of an interface for a connection that the host forwards.
    ///
    /// The hits are those of policies before connection tracking, before destination NAT and in the forward path, in this
    /// order.
    ///
    /// - Parameter connection: the connection at the interface.
    /// - Returns: nil if no policy applies to it, or while not all policies are known.
    public func transit(of connection: ForwardedConnection) -> PolicyTrace? {
        guard world.isComplete, let endpoint = world.hostEndpoints.find(connection.interface) else { return nil }
        return memory.state.withLock { $0.transit(connection, endpoint, world) }
    }

    /// Returns the decision of a host endpoint that denies a connection at any interface of the node that forwards it.
    ///
    /// - Parameter connection: the connection; only the node of its interface is used.
    /// - Returns: the decision of the first such host endpoint by name; nil if none denies it, or while not all policies are
    ///   known.
    public func transitDenial(of connection: ForwardedConnection) -> PolicyTrace? {
        let node = connection.interface.node
        guard governsForwardedTraffic(ofNode: node) == true else { return nil }
        return memory.state.withLock { state in
            for endpoint in world.hostEndpoints.of(node) {
                if let trace = state.transit(connection, endpoint, world), trace.action == .deny { return trace }
            }
            return nil
        }
    }

    /// Evaluates the policies of a given host endpoint, and also returns the decision at each hook.
    func transit(
        _ connection: ForwardedConnection,
        at endpoint: InterfaceEndpoint
    ) -> (trace: PolicyTrace?, decisions: [TransitDecision]) {
        memory.state.withLock {
            ($0.transit(connection, endpoint, world), $0.transitDecisions(connection, endpoint, world))
        }
    }

    /// The traces, evaluated without the verdict cache, for benchmarks.
    public func tracesEvaluated(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        let query = PolicyQuery(packets, source, destination, .unknown, world)
        guard query.source != nil || query.destination != nil else { return (nil, nil) }
        return memory.state.withLock { $0.tracesEvaluated(query, world) }
    }
}

/// The caches that the snapshots of a store share, protected by a lock.
final class EvaluatorMemory: Sendable {
    /// The caches.
    let state = Mutex(EvaluatorState())
}
