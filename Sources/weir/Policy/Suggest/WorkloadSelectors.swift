import FlowModel

/// The labels by which policies may select the workloads of a cluster.
struct WorkloadSelectors {
    /// A selector, and what else it selects.
    struct Selector {
        /// Labels that the pods of the workload have, and policies are to ask for; ascending by key.
        var labels: [Label]
        /// Other workloads of the namespace that have these labels, too.
        var others: [String]
    }

    /// Labels of each workload's pods that all of them have, by namespace and ``workload(_:)``.
    private var common: [String: [String: [Label]]] = [:]

    /// What names a workload, in the order in which it is tried.
    private static let naming = [
        "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app", "k8s-app",
        "component", "name", "role", "tier",
    ]
    /// What changes with each version of a workload, with each pod, or with where it runs.
    private static let passing: Set<String> = [
        "pod-template-hash", "controller-revision-hash", "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index", "controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
        "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index", "helm.sh/chart",
        "app.kubernetes.io/version", "app.kubernetes.io/managed-by",
    ]
    private static let passingPrefixes = ["topology.kubernetes.io/", "failure-domain.beta.kubernetes.io/"]

    /// Gathers the labels of all pods of the inventory.
    init(_ tracer: PolicyTracer) {
        for pod in tracer.directory.allPods.values where !pod.hasEnded && !pod.usesHostNetwork {
            guard let address = pod.addresses.first else { continue }
            let endpoint = tracer.inventory.endpoint(at: address)
            guard endpoint.kind == .workload, let identity = endpoint.identity else { continue }
            let labels = identity.labels.filter {
                Self.isStable($0.key) && Self.isPlain($0.key) && Self.isPlain($0.value)
            }
            let namespace = endpoint.namespace ?? "default"
            let name = Self.workload(endpoint.aggregatedName)
            guard let known = common[namespace]?[name] else {
                common[namespace, default: [:]][name] = labels
                continue
            }
            common[namespace]?[name] = known.filter(labels.contains)
        }
    }

    /// As Kubernetes allows keys and values: nothing in them ends a text of a selector.
    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy {
            0x30...0x39 ~= $0 || 0x41...0x5a ~= $0 || 0x61...0x7a ~= $0 || "-_./".utf8.contains($0)
        }
    }

    private static func isStable(_ key: String) -> Bool {
        !passing.contains(key) && !passingPrefixes.contains { key.hasPrefix($0) }
    }

    /// The workloads of a namespace that have pods.
    func workloads(_ namespace: String) -> [String] { (common[namespace] ?? [:]).keys.sorted() }

    /// The name of a workload in all its versions: `customer-856cd6d9f5-*` is `customer`.
    ///
    /// Kubernetes' hashes have no vowels and no 0, 1 and 3.
    static func workload(_ aggregatedName: String) -> String {
        guard aggregatedName.hasSuffix("-*") else { return aggregatedName }
        let name = aggregatedName.dropLast(2)
        guard let dash = name.lastIndex(of: "-") else { return String(name) }
        let hash = name[name.index(after: dash)...].utf8
        let isHash = 8...10 ~= hash.count && hash.allSatisfy { "bcdfghjklmnpqrstvwxz2456789".utf8.contains($0) }
        return String(isHash && dash > name.startIndex ? name[..<dash] : name)
    }

    /// How a workload is selected: by as few labels as tell it from the others of its namespace.
    ///
    /// - Parameters:
    ///   - namespace: its namespace.
    ///   - workload: its name in all its versions.
    /// - Returns: nil if none of its pods is known, or they have no labels in common.
    func selector(_ namespace: String, _ workload: String) -> Selector? {
        guard let workloads = common[namespace], let labels = workloads[workload], !labels.isEmpty else { return nil }
        func others(_ chosen: [Label]) -> [String] {
            workloads.filter { name, labels in name != workload && chosen.allSatisfy(labels.contains) }.keys.sorted()
        }
        var chosen: [Label] = []
        for key in Self.naming {
            guard let label = labels.first(where: { $0.key == key }) else { continue }
            chosen.append(label)
            if others(chosen).isEmpty { return Selector(labels: chosen.sorted { $0.key < $1.key }, others: []) }
        }
        return Selector(labels: labels, others: others(labels))
    }
}
