/// Clusters with policies, as files have them.
enum PolicyInventory {
    /// The well-known bank: a database that is denied at the end of its tier, and a staged policy that would allow it.
    static let bank = """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Namespace, metadata: {name: yaobank}}
        - apiVersion: v1
          kind: Node
          metadata: {name: node-1}
          status: {addresses: [{type: InternalIP, address: 192.168.50.11}]}
        - apiVersion: v1
          kind: Pod
          metadata: {name: customer-856cd6d9f5-bl2sn, namespace: yaobank, labels: {app: customer}}
          status: {phase: Running, podIPs: [{ip: 10.65.1.4}, {ip: "fd00:65::4"}]}
        - apiVersion: v1
          kind: Pod
          metadata: {name: summary, namespace: yaobank, labels: {app: summary}}
          status: {phase: Running, podIPs: [{ip: 10.65.1.5}, {ip: "fd00:65::5"}]}
        - {apiVersion: v1, kind: Pod,
          metadata: {name: database-69f6f4db5b-wd2lr, namespace: yaobank, labels: {app: database}},
          spec: {nodeName: node-1},
          status: {phase: Running, podIPs: [{ip: 10.65.1.9}, {ip: "fd00:65::9"}]}}
        - apiVersion: v1
          kind: Pod
          metadata: {name: legacy, namespace: yaobank, labels: {app: database}}
          status: {phase: Running, podIP: "fd00:65::77"}
        - {apiVersion: v1, kind: Pod, metadata: {name: done, namespace: yaobank}, status: {phase: Succeeded, podIP: 10.65.1.9}}
        - {apiVersion: v1, kind: Pod, metadata: {name: waiting, namespace: yaobank}, status: {phase: Pending}}
        - apiVersion: v1
          kind: Pod
          metadata: {name: agent, namespace: yaobank}
          spec: {hostNetwork: true}
          status: {phase: Running, podIP: 192.168.50.11}
        - apiVersion: v1
          kind: Service
          metadata: {name: database, namespace: yaobank}
          spec: {clusterIP: 10.96.0.7, ports: [{name: etcd, port: 2379, protocol: TCP}]}
        - apiVersion: discovery.k8s.io/v1
          kind: EndpointSlice
          addressType: IPv4
          metadata: {name: database-1, namespace: yaobank, labels: {kubernetes.io/service-name: database}}
          endpoints: [{addresses: [10.65.1.9]}]
          ports: [{name: etcd, port: 2379, protocol: TCP}]
        - apiVersion: projectcalico.org/v3
          kind: GlobalNetworkSet
          metadata: {name: threatfeed.alienvault, labels: {feed: alienvault-ipthreatfeeds}}
          spec: {nets: [203.0.113.0/24]}
        - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: tigera-security}, spec: {order: 100}}
        - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: security}, spec: {order: 200}}
        - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: platform}, spec: {order: 300}}
        - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: application}, spec: {order: 400}}
        - apiVersion: projectcalico.org/v3
          kind: GlobalNetworkPolicy
          metadata: {name: tigera-security.block-alienvault-ipthreatfeed}
          spec:
            tier: tigera-security
            types: [Ingress]
            ingress:
            - {action: Deny, source: {selector: feed == "alienvault-ipthreatfeeds"}}
            - {action: Pass}
        - {apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: security.security-default-pass}, \
        spec: {tier: security, types: [Ingress, Egress], ingress: [{action: Pass}], egress: [{action: Pass}]}}
        - {apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: platform.platform-default-pass}, \
        spec: {tier: platform, types: [Ingress, Egress], ingress: [{action: Pass}], egress: [{action: Pass}]}}
        - apiVersion: projectcalico.org/v3
          kind: NetworkPolicy
          metadata: {name: application.allow-customer, namespace: yaobank}
          spec:
            tier: application
            order: 100
            selector: app == "database"
            types: [Ingress]
            ingress:
            - {action: Allow, protocol: TCP, source: {selector: app == "summary"}, destination: {ports: [2379]}}
            - {action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}, source: {selector: app == "summary"}}
        - apiVersion: projectcalico.org/v3
          kind: StagedNetworkPolicy
          metadata: {name: application.customer-to-database, namespace: yaobank}
          spec:
            tier: application
            order: 50
            selector: app == "database"
            types: [Ingress]
            ingress:
            - {action: Allow, protocol: TCP, source: {selector: app == "customer"}, destination: {ports: [2379]}}

        """

    /// Calico's own test of enforced and staged policies: four pods, three tiers.
    static let golden = """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Namespace, metadata: {name: default}}
        \(pods)
        - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: tier1}, spec: {order: 1}}
        - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: tier2}, spec: {order: 2}}
        \(policies)

        """

    private static let pods = ["ep1-1": 11, "ep2-1": 21, "ep2-2": 22, "ep2-3": 23].map { name, number in
        """
        - {apiVersion: v1, kind: Pod, metadata: {name: \(name), namespace: default, labels: {name: \(name)}}, \
        status: {podIP: 10.0.0.\(number)}}
        """
    }.joined(separator: "\n")

    private static let policies: String = {
        let both = "types: [Ingress, Egress]"
        var policies = [
            policy(
                "GlobalNetworkPolicy",
                "default.ep1-1-allow-all",
                "order: 1, selector: name == 'ep1-1', \(both), ingress: [{action: Allow}], egress: [{action: Allow}]"
            ),
            policy(
                "NetworkPolicy",
                "tier1.np1-1",
                """
                tier: tier1, order: 1, selector: "name in {'ep2-1', 'ep2-2'}", \(both),
                egress: [{action: Pass, source: {selector: name == 'ep2-1'}},
                         {action: Deny, source: {selector: name == 'ep2-2'}}],
                ingress: [{action: Allow, destination: {selector: name == 'ep2-1'}},
                          {action: Pass, destination: {selector: name == 'ep2-2'}}]
                """
            ),
            policy(
                "StagedNetworkPolicy",
                "tier2.np2-1",
                "tier: tier2, order: 1, selector: name == 'ep2-1', types: [Egress], egress: [{action: Allow}]"
            ),
            policy(
                "GlobalNetworkPolicy",
                "tier2.gnp2-2",
                "tier: tier2, order: 2, selector: name == 'ep2-3', types: [Egress], egress: [{action: Deny}]"
            ),
            policy(
                "StagedGlobalNetworkPolicy",
                "tier2.gnp2-2",
                "tier: tier2, order: 2, selector: name == 'ep2-3', types: [Ingress]"
            ),
            policy(
                "StagedNetworkPolicy",
                "tier2.np2-3",
                """
                tier: tier2, order: 3, selector: "name in {'ep2-2', 'ep2-3'}", types: [Ingress],
                ingress: [{action: Allow, destination: {selector: name == 'ep2-2'}},
                          {action: Deny, destination: {selector: name == 'ep2-3'}}]
                """
            ),
            policy(
                "NetworkPolicy",
                "tier2.np2-4",
                "tier: tier2, order: 3, selector: name == 'ep2-3', types: [Ingress], ingress: [{action: Deny}]"
            ),
        ]
        for number in 1...9 {
            policies.append(
                policy(
                    "StagedKubernetesNetworkPolicy",
                    "knp3-\(number)",
                    "podSelector: {matchLabels: {name: ep2-1}}, policyTypes: [Egress]"
                )
            )
        }
        for (index, kind) in ["StagedNetworkPolicy", "NetworkPolicy", "StagedNetworkPolicy"].enumerated() {
            let rest = "selector: name == 'ep2-2', types: [Ingress], ingress: [{action: Allow}]"
            policies.append(policy(kind, "default.np3-\(index + 2)", "order: \(index + 1), \(rest)"))
        }
        return policies.joined(separator: "\n")
    }()

    private static func policy(_ kind: String, _ name: String, _ spec: String) -> String {
        let namespace = kind.contains("Global") ? "" : ", namespace: default"
        let metadata = "{name: \(name)\(namespace)}"
        let lines = spec.replacing("\n", with: "\n  ")
        return "- {apiVersion: projectcalico.org/v3, kind: \(kind), metadata: \(metadata), spec: {\(lines)}}"
    }

    /// A service with two ports and three pods behind it, of which one denies all ingress; one without an address, and one
    /// without pods.
    static let shop = """
        {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: cart, namespace: shop}, status: {podIP: 10.1.0.9}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: shop}, status: {podIP: 10.1.0.1}}
        ---
        {apiVersion: v1, kind: Pod, metadata: {name: web-2, namespace: shop}, status: {podIP: 10.1.0.2}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: web-3, namespace: shop, labels: {locked: "yes"}}
        status: {podIP: 10.1.0.3}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}, {name: https, port: 443}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: direct, namespace: shop}
        spec: {clusterIP: None, ports: [{port: 80}]}
        ---
        {apiVersion: v1, kind: Service, metadata: {name: empty, namespace: shop}, spec: {clusterIP: 10.96.0.2, ports: [{port: 1}]}}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        addressType: IPv4
        metadata: {name: web-a, namespace: shop, labels: {kubernetes.io/service-name: web}}
        endpoints: [{addresses: [10.1.0.1]}, {addresses: [10.1.0.3]}]
        ports: [{name: http, port: 8080}, {name: https, port: 8443}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        addressType: IPv4
        metadata: {name: web-b, namespace: shop, labels: {kubernetes.io/service-name: web}}
        endpoints: [{addresses: [10.1.0.2]}]
        ports: [{name: http, port: 8081}, {name: https, port: 8443}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        addressType: IPv4
        metadata: {name: direct-a, namespace: shop, labels: {kubernetes.io/service-name: direct}}
        endpoints: [{addresses: [10.1.0.3]}]
        ports: [{port: 80}]
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: locked, namespace: shop}
        spec: {podSelector: {matchLabels: {locked: "yes"}}}

        """
}
