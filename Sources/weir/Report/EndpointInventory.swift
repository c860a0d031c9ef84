import ClusterModel
import FlowModel
import Policy

/// The pods of an inventory, the policies that apply to each, and the services that select it.
struct EndpointInventory {
    private let tracer: PolicyTracer
    private let services: [IPAddress: Set<String>]

    /// Documentation addresses (RFC 5737, RFC 3849), used as the other end of the evaluated connections.
    private static let someone: [IPAddress] = [IPAddress(192, 0, 2, 1), IPAddress("2001:db8::1")].compactMap(\.self)

    /// Takes the tracer.
    init(_ tracer: PolicyTracer) {
        self.tracer = tracer
        var services: [IPAddress: Set<String>] = [:]
        for service in tracer.directory.allServices {
            for backend in tracer.directory.backends(of: service) {
                services[backend.address, default: []].insert(service)
            }
        }
        self.services = services
    }

    /// Creates the report.
    ///
    /// - Parameter namespaces: the namespaces of the pods; empty for all.
    /// - Returns: a row for each pod, sorted by name.
    func table(namespaces: Set<String>) -> ReportTable {
        var table = ReportTable(columns: [
            "endpoint", "namespace", "node", "addresses", "hostNetwork", "ingressProtected", "egressProtected",
            "appliedPolicies", "services",
        ])
        for (name, pod) in tracer.directory.allPods.sorted(by: { $0.key < $1.key }) where !pod.hasEnded {
            let namespace = name.split(separator: "/").first.map(String.init) ?? "default"
            guard namespaces.isEmpty || namespaces.contains(namespace) else { continue }
            // The host's policies apply to a pod in its node's network.
            let policies = pod.usesHostNetwork ? (ingress: [], egress: []) : policies(name)
            let leading = pod.addresses.reduce(into: Set<String>()) { $0.formUnion(services[$1] ?? []) }
            table.rows.append([
                .text(name), .text(namespace), .text(pod.node ?? ""), .texts(pod.addresses.map(\.description)),
                .flag(pod.usesHostNetwork), .flag(!policies.ingress.isEmpty), .flag(!policies.egress.isEmpty),
                .texts(Set(policies.ingress + policies.egress).sorted()), .texts(leading.sorted()),
            ])
        }
        return table
    }

    /// The enforced policies that apply to a pod in each direction.
    private func policies(_ name: String) -> (ingress: [String], egress: [String]) {
        var tracer = tracer
        for other in Self.someone {
            let (to, from) = (
                PolicyConnection(source: .address(other), destination: .named(name)),
                PolicyConnection(source: .named(name), destination: .address(other))
            )
            // A pod can have addresses of only one family.
            guard let inward = try? tracer.question(to), let outward = try? tracer.question(from) else { continue }
            return (
                Self.names(tracer.explanation(inward).ingress), Self.names(tracer.explanation(outward).egress)
            )
        }
        return ([], [])
    }

    private static func names(_ explanation: PolicyExplanation?) -> [String] {
        (explanation?.tiers ?? []).flatMap(\.policies).filter { !$0.isStaged }.map { "\($0.object)" }
    }
}
