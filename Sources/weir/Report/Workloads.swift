import FlowModel
import Inventory
import Policy

/// The workloads of an inventory by their names in records, with sample pods to evaluate.
struct Workloads {
    /// Pods with the same aggregated name.
    struct Workload {
        /// The namespace and the aggregated name.
        var name: String
        /// Its namespace.
        var namespace: String
        /// Sample pods.
        var pods: [PolicyEndName]
        /// The ports that services target.
        var ports: Set<NamedPort>
    }

    /// All workloads, sorted by name.
    let all: [Workload]

    /// The maximum number of pods evaluated per workload: pods with the same name usually have the same labels.
    private static let mostPods = 3

    /// Groups the pods of an inventory.
    init(_ tracer: PolicyTracer) {
        var workloads: [String: Workload] = [:]
        let ports = Self.ports(tracer.directory)
        for (name, pod) in tracer.directory.allPods.sorted(by: { $0.key < $1.key })
        where !pod.hasEnded && !pod.usesHostNetwork {
            guard let address = pod.addresses.first else { continue }
            let endpoint = tracer.inventory.endpoint(at: address)
            guard endpoint.kind == .workload else { continue }
            let namespace = endpoint.namespace ?? "default"
            let key = "\(namespace)/\(endpoint.aggregatedName)"
            var workload = workloads[key] ?? Workload(name: key, namespace: namespace, pods: [], ports: [])
            if workload.pods.count < Self.mostPods { workload.pods.append(.named(name)) }
            for address in pod.addresses { workload.ports.formUnion(ports[address] ?? []) }
            workloads[key] = workload
        }
        all = workloads.values.sorted { $0.name < $1.name }
    }

    /// The ports of service endpoints by address, without port names.
    private static func ports(_ directory: PolicyDirectory) -> [IPAddress: Set<NamedPort>] {
        var ports: [IPAddress: Set<NamedPort>] = [:]
        for service in directory.allServices {
            for backend in directory.backends(of: service) {
                guard let port = backend.port else { continue }
                ports[backend.address, default: []].insert(NamedPort(name: nil, port: port.port, proto: port.proto))
            }
        }
        return ports
    }
}
