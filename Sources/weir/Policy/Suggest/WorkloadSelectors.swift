import FlowModel

/// The labels by which policies can select the workloads of a cluster.
struct WorkloadSelectors {
    /// A selector and the other workloads that it selects.
    struct Selector {
        /// Labels of the workload's pods that the policy selects by, ascending by key.
        var labels: [Label]
        /// Other workloads of the namespace that also have these labels.
        var others: [String]
    }

    /// The labels common to all pods of each workload, by namespace and ``workload(_:)``.
    private var common: [String: [String: [Label]]] = [:]

    /// Keys of labels that name a workload, in order of preference.
    private static let naming = [
        "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "app", "k8s-app",
        "component", "name", "role", "tier",
    ]
    /// Labels that change with each version of a workload, with each pod, or with its location.
    private static let passing: Set<String> = [
        "pod-template-hash", "controller-revision-hash", "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index", "controller-uid", "batch.kubernetes.io/controller-uid", "job-name",
        "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index", "helm.sh/chart",
        "app.kubernetes.io/version", "app.kubernetes.io/managed-by",
    ]
    private static let passingPrefixes = ["topology.kubernetes.io/", "failure-domain.beta.kubernetes.io/"]

    /// Collects the labels of all pods in the inventory.
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

    /// Whether a text has only the characters of Kubernetes keys and values, so that it cannot end a quoted string.
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

    /// The name of a workload without its version: `customer-856cd6d9f5-*` is `customer`.
    ///
    /// Kubernetes hashes contain no vowels and no 0, 1 and 3.
    static func workload(_ aggregatedName: String) -> String {
        guard aggregatedName.hasSuffix("-*") else { return aggregatedName }
        let name = aggregatedName.dropLast(2)
        guard let dash = name.lastIndex(of: "-") else { return String(name) }
        let hash = name[name.index(after: dash)...].utf8
        let isHash = 8...10 ~= hash.count && hash.allSatisfy { "bcdfghjklmnpqrstvwxz2456789".utf8.contains($0) }
        return String(isHash && dash > name.startIndex ? name[..<dash] : name)
    }

    /// The smallest selector that distinguishes a workload from the others in its namespace.
    ///
    /// - Parameters:
    ///   - namespace: the namespace of the workload.
    ///   - workload: the name of the workload without its version.
    /// - Returns: the selector; nil if no pod of the workload is known, or its pods have no labels in common.
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
