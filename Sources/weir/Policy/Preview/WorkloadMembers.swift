import FlowModel
import Inventory

/// Pods by the workload name in records.
struct WorkloadMembers {
    private var pods: [String: [String]] = [:]
    /// Pods by the name of the workload without its version.
    private var versions: [String: [String]] = [:]
    private let directory: PolicyDirectory

    /// The most pods of a workload in ``names(_:)``.
    private static let limit = 3

    /// Groups the pods of the inventory by their aggregated names.
    init(_ tracer: PolicyTracer) {
        directory = tracer.directory
        for (name, pod) in tracer.directory.allPods where !pod.hasEnded && !pod.usesHostNetwork {
            guard let address = pod.addresses.first else { continue }
            let endpoint = tracer.inventory.endpoint(at: address)
            guard endpoint.kind == .workload else { continue }
            let scope = endpoint.namespace ?? "default"
            pods["\(scope)/\(endpoint.aggregatedName)", default: []].append(name)
            versions["\(scope)/\(WorkloadSelectors.workload(endpoint.aggregatedName))", default: []].append(name)
        }
        for key in pods.keys { pods[key]?.sort() }
        for key in versions.keys { versions[key]?.sort() }
    }

    /// Some endpoints to evaluate for an end; nil if none is known.
    func names(_ end: RecordedConnection.End) -> [PolicyEndName]? {
        allNames(end).map { Array($0.prefix(Self.limit)) }
    }

    /// All endpoints that an end may be; nil if none is known.
    func allNames(_ end: RecordedConnection.End) -> [PolicyEndName]? {
        if end.type == "wep" {
            let scope = end.namespace ?? "default"
            if let name = end.name, directory.pod("\(scope)/\(name)")?.hasEnded == false {
                return [.named("\(scope)/\(name)")]
            }
            let workload = WorkloadSelectors.workload(end.aggregatedName)
            // If the version no longer exists, pods of other versions are used: old addresses may be reassigned.
            if let known = pods["\(scope)/\(end.aggregatedName)"] ?? versions["\(scope)/\(workload)"] {
                return known.map { .named($0) }
            }
        }
        return end.address.map { [.address($0)] }
    }
}
