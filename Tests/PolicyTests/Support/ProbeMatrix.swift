import ClusterModel
import FlowModel
import Policy
import Testing

/// Nine pods in three namespaces, x/a to z/c, that call each other under Kubernetes NetworkPolicies.
///
/// Every pod serves 80 and 81 in TCP, UDP and SCTP, under names such as `serve-80-tcp`, and has the label `pod`;
/// every namespace has the labels `ns` and `kubernetes.io/metadata.name`.
struct ProbeMatrix {
    /// The pairs that are expected to reach each other at one port.
    struct Probe: Sendable {
        var proto = IPProtocol.tcp
        var port: UInt16 = 80
        /// For a called pod, its permitted callers; all pods if it is not named.
        ///
        /// `*` stands for every namespace or pod.
        var into: [String: [String]] = [:]
        /// For a calling pod, its permitted destinations; all pods if it is not named.
        var outOf: [String: [String]] = [:]
    }

    /// A state of the cluster, and the expected reachability.
    struct Step: Sendable {
        /// All policies by name, as in `x/allow`, each as the JSON text of its `spec`.
        var policies: [String: String]
        /// Labels of namespaces beside their own.
        var namespaceLabels: [String: [String: String]] = [:]
        /// Labels of pods beside their own, or instead of them.
        var podLabels: [String: [String: String]] = [:]
        var probes: [Probe]
    }

    private static let namespaces = ["x", "y", "z"]
    private static let names = namespaces.flatMap { namespace in ["a", "b", "c"].map { "\(namespace)/\($0)" } }

    private var store = PolicyStore(format: .calico332)
    private var policies: Set<String> = []

    /// Brings the cluster into a state, and calls every pod from every other one.
    ///
    /// - Returns: the pairs of pods whose decision differs from the expected one.
    mutating func differences(_ step: Step) throws -> [String] {
        try apply(step)
        let snapshot = store.snapshot()
        return step.probes.flatMap { probe in
            Self.names.flatMap { source in
                Self.names.filter { $0 != source }.compactMap { destination in
                    let isReached = reaches(source, destination, probe, step, snapshot)
                    guard isReached != Self.isExpected(source, destination, probe) else { return nil }
                    return "\(source) \(isReached ? "reaches" : "does not reach") \(destination) "
                        + "at \(probe.port)/\(probe.proto.name)"
                }
            }
        }
    }

    // MARK: - The cluster

    private mutating func apply(_ step: Step) throws {
        var changes: [ClusterChange] = Self.namespaces.map { name in
            let labels = ["ns": name, "kubernetes.io/metadata.name": name]
            return .upsert(Make.namespace(name, labels.merging(step.namespaceLabels[name] ?? [:]) { $1 }))
        }
        for (name, spec) in step.policies {
            let parts = name.split(separator: "/")
            let text = #"{"metadata":{"namespace":"\#(parts[0])","name":"\#(parts[1])"},"spec":\#(spec)}"#
            let object = try ObjectDecoder.object(from: Array(text.utf8).span, as: .networkPolicy)
            let policy = try #require(object)
            #expect(policy.unknownFields.isEmpty, "\(policy.unknownFields)")
            changes.append(.upsert(policy))
        }
        for name in policies.subtracting(step.policies.keys) {
            let parts = name.split(separator: "/").map(String.init)
            let gone = ObjectReference(kind: .networkPolicy, namespace: parts[0], name: parts[1])
            changes.append(.delete(gone, uid: nil))
        }
        policies = Set(step.policies.keys)
        store.apply(changes, from: SourceID(rawValue: 1))
        #expect(store.findings.isEmpty)
    }

    private static let ports: [NamedPort] = [IPProtocol.tcp, .udp, .sctp].flatMap { proto in
        [80, 81].map { NamedPort(name: "serve-\($0)-\(proto.name)", port: $0, proto: proto) }
    }

    /// The address of a pod: 10.0.0.1 for x/a to 10.2.0.3 for z/c.
    private static func address(_ name: String) -> String {
        let index = names.firstIndex(of: name) ?? 0
        return "10.\(index / 3).0.\(index % 3 + 1)"
    }

    private static func endpoint(_ name: String, _ step: Step) -> Endpoint {
        let parts = name.split(separator: "/").map(String.init)
        let labels = ["pod": parts[1]].merging(step.podLabels[name] ?? [:]) { $1 }
        return Make.pod(parts[1], parts[0], labels, ports: ports)
    }

    private func reaches(
        _ source: String,
        _ destination: String,
        _ probe: Probe,
        _ step: Step,
        _ snapshot: PolicySnapshot
    ) -> Bool {
        let (egress, ingress) = snapshot.traces(
            of: Make.tuple(Self.address(source), Self.address(destination), probe.proto, to: probe.port),
            source: Self.endpoint(source, step),
            destination: Self.endpoint(destination, step)
        )
        return egress?.action == .allow && ingress?.action == .allow
    }

    // MARK: - Expectations

    private static func isExpected(_ source: String, _ destination: String, _ probe: Probe) -> Bool {
        isAmong(source, of: destination, in: probe.into) && isAmong(destination, of: source, in: probe.outOf)
    }

    /// Whether the table permits the other pod for a pod; without a line for the pod, it permits every other.
    private static func isAmong(_ other: String, of pod: String, in table: [String: [String]]) -> Bool {
        let lines = table.filter { matches($0.key, pod) }
        return lines.isEmpty || lines.values.contains { $0.contains { matches($0, other) } }
    }

    private static func matches(_ pattern: String, _ name: String) -> Bool {
        zip(pattern.split(separator: "/"), name.split(separator: "/")).allSatisfy { $0 == "*" || $0 == $1 }
    }
}
