extension YaobankScenario {
    /// A file of the inventory.
    package struct InventoryFile: Sendable, Hashable {
        /// The name of the file.
        package let name: String
        /// The objects: YAML, as `kubectl get -o yaml` prints a list.
        package let text: String
    }

    /// The node, the pods and their policies, as the cluster's API server would return them.
    package var inventory: [InventoryFile] {
        [
            file("cluster.yaml", [Self.cluster, node(network.nodeIPv4, network.nodeIPv6)]),
            file("pods.yaml", zip(Part.allCases, network.pods).map(Self.pod)),
            file("tiers.yaml", Self.tiers.map(Self.tier)),
            file("networksets.yaml", [Self.networkSet]),
            file("policies.yaml", Self.globalPolicies + Self.policies),
            file("staged.yaml", [Self.stagedPolicy]),
        ]
    }

    /// The addresses of the threat feed; no host uses them (RFC 5737).
    static let threatFeed = ["203.0.113.0/24"]

    private static let tiers = [
        ("tigera-security", 100), ("security", 200), ("platform", 300), ("application", 400),
    ]

    private func file(_ name: String, _ items: [String]) -> InventoryFile {
        let list = items.map { item in
            item.split(separator: "\n").enumerated().map { ($0.offset == 0 ? "- " : "  ") + $0.element + "\n" }.joined()
        }
        let text = "apiVersion: v1\nitems:\n\(list.joined())kind: List\nmetadata:\n  resourceVersion: \"\"\n"
        return InventoryFile(name: name, text: text)
    }

    // MARK: Cluster

    private static let cluster = """
        apiVersion: v1
        kind: Namespace
        metadata:
          labels:
            kubernetes.io/metadata.name: \(namespace)
          name: \(namespace)
        status:
          phase: Active
        """

    private func node(_ ipv4: LabAddress, _ ipv6: LabAddress) -> String {
        """
        apiVersion: v1
        kind: Node
        metadata:
          labels:
            kubernetes.io/hostname: \(Self.nodeName)
            kubernetes.io/os: linux
          name: \(Self.nodeName)
        status:
          addresses:
          - address: \(ipv4)
            type: InternalIP
          - address: \(ipv6)
            type: InternalIP
          - address: \(Self.nodeName)
            type: Hostname
        """
    }

    private static func pod(_ part: Part, _ pod: LabNetwork.Pod) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata:
          generateName: \(part.replicaSet)-
          labels:
            app: \(part.rawValue)
            pod-template-hash: \(part.templateHash)
            version: v1
          name: \(part.podName)
          namespace: \(namespace)
          ownerReferences:
          - apiVersion: apps/v1
            blockOwnerDeletion: true
            controller: true
            kind: ReplicaSet
            name: \(part.replicaSet)
            uid: \(uid(part, "00"))
          uid: \(uid(part, "01"))
        spec:
          containers:
          - image: calico/yaobank-\(part.rawValue)
            name: \(part.rawValue)
          nodeName: \(nodeName)
          serviceAccountName: \(part.rawValue)
        status:
          phase: Running
          podIP: \(pod.ipv4)
          podIPs:
          - ip: \(pod.ipv4)
          - ip: \(pod.ipv6)
        """
    }

    private static func uid(_ part: Part, _ end: String) -> String {
        "3b1c6c8e-5a0d-4c52-9f0e-\(part.templateHash)\(end)"
    }

    private static func tier(_ name: String, _ order: Int) -> String {
        """
        apiVersion: projectcalico.org/v3
        kind: Tier
        metadata:
          name: \(name)
        spec:
          defaultAction: Deny
          order: \(order)
        """
    }

    private static let networkSet = """
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkSet
        metadata:
          labels:
            feed: alienvault-ipthreatfeeds
          name: threatfeed.alienvault.ipthreatfeeds
        spec:
          nets:
        \(threatFeed.map { "  - \($0)" }.joined(separator: "\n"))
        """
}
