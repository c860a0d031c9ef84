import Foundation
import Lab
import Testing

/// The node of ``ClusterNode`` with policies, a pod on another node behind its uplink, and counters at the far end of
/// every cable.
final class PolicyNode {
    /// A place where connections begin and end.
    enum Place: String, Sendable {
        case client
        case web
        case db
        /// A pod of the other node.
        case remote
        /// This node.
        case node
        /// A host outside of the cluster.
        case outside
    }

    let folder: TemporaryFolder
    let cluster: ClusterNode
    /// A folder of files with all objects; the policies are in one of their own.
    let inventory: String
    private var earlier: [Place: InterfaceCounters] = [:]

    /// Makes the network and writes the inventory.
    init(policies: String = PolicyNode.policies) throws {
        folder = try TemporaryFolder()
        cluster = try ClusterNode(folder)
        inventory = folder.file("inventory")
        try FileManager.default.createDirectory(atPath: inventory, withIntermediateDirectories: false)
        try (ClusterNode.objects + "---\n" + Self.objects)
            .write(toFile: "\(inventory)/objects.yaml", atomically: true, encoding: .utf8)
        try write(policies: policies)
        try cluster.outside.ip("address add 10.88.0.5/32 dev eth0")
        try cluster.outside.ip("address add fd88::5/128 dev eth0 nodad")
        try node.ip("route add 10.88.0.0/24 via \(ClusterNode.outsideAddress)")
        try node.ip("route add fd88::/64 via 2001:db8::20")
        try cluster.outside.ip("route replace 10.77.0.0/16 via \(ClusterNode.nodeAddress) src 10.88.0.5")
        try cluster.outside.ip("route replace fd77::/64 via 2001:db8::10 src fd88::5")
        try node.nft(
            """
            insert rule ip nat postrouting ip daddr 10.88.0.0/24 accept
            add rule ip nat prerouting ip daddr 10.96.0.10 udp dport 53 dnat to 10.77.0.3:5353
            add rule ip6 nat prerouting ip6 daddr fd96::10 udp dport 53 dnat to [fd77::3]:5353
            """
        )
        try forgetCounters()
    }

    /// The node's namespace.
    var node: NetworkNamespace { cluster.network.node }

    /// Replaces the policies at once, as an editor does that writes a new file and renames it.
    func write(policies: String) throws {
        try policies.write(toFile: "\(inventory)/policies.yaml", atomically: true, encoding: .utf8)
    }

    /// Starts the agent.
    func run(_ arguments: [String] = []) throws -> WeirRun {
        try WeirRun(
            in: node,
            folder,
            watching: ClusterNode.pods.map { "cali" + $0 } + ["eth0"],
            [
                "--aggregation-allowed", "1", "--aggregation-denied", "1", "--extended-fields",
                "--inventory", inventory, "--host", "node-1",
            ] + arguments
        )
    }

    // MARK: Places

    /// Returns the namespace of a place's sockets.
    func namespace(of place: Place) throws -> NetworkNamespace {
        switch place {
        case .client, .web, .db: try cluster.network.pod(place.rawValue).namespace
        case .remote, .outside: cluster.outside
        case .node: node
        }
    }

    /// A place's address; the node has one towards its pods and one at its uplink.
    func address(of place: Place, isIPv6: Bool, towards other: Place) throws -> LabAddress {
        switch place {
        case .client, .web, .db:
            let pod = try cluster.network.pod(place.rawValue)
            return isIPv6 ? pod.ipv6 : pod.ipv4
        case .remote: return try LabAddress(isIPv6 ? "fd88::5" : "10.88.0.5")
        case .outside: return try LabAddress(isIPv6 ? "2001:db8::20" : ClusterNode.outsideAddress)
        case .node where other == .outside || other == .remote:
            return try LabAddress(isIPv6 ? "2001:db8::10" : ClusterNode.nodeAddress)
        case .node: return isIPv6 ? cluster.network.nodeIPv6 : cluster.network.nodeIPv4
        }
    }

    /// Returns the name of a place in records.
    func end(_ place: Place, isIPv6: Bool, towards other: Place) throws -> VerdictRecord.End {
        let address = "\(try address(of: place, isIPv6: isIPv6, towards: other))"
        let (type, namespace, name) =
            switch place {
            case .client: ("wep", "shop", "client-7d4f9c-x2")
            case .web: ("wep", "shop", "web-7d4f9c-x3")
            case .db: ("wep", "shop", "db-7d4f9c-x4")
            case .remote: ("wep", "shop", "remote-7d4f9c-x9")
            case .node: ("hep", "-", "node-1")
            case .outside: ("ns", "-", "partners")
            }
        return VerdictRecord.End(type: type, namespace: namespace, name: name, address: address)
    }

    // MARK: Counters

    /// Returns the traffic of a place since the start, as the kernel counted it at the far end of its cable: IP packets and IP
    /// bytes.
    func wire(_ place: Place) throws -> (sent: Count, received: Count) {
        let counters = try namespace(of: place).counters(of: "eth0").since(earlier[place] ?? InterfaceCounters())
        return (Self.withoutEthernet(counters.sent), Self.withoutEthernet(counters.received))
    }

    private static let places: [Place] = [.client, .web, .db, .outside]

    private func forgetCounters() throws {
        for place in Self.places { earlier[place] = try namespace(of: place).counters(of: "eth0") }
    }

    private static func withoutEthernet(_ count: Count) -> Count {
        Count(count.packets, count.bytes - 14 * count.packets)
    }

    /// Drops all further packets of the client and the database, because TCP may retransmit much later.
    func silencePods() throws {
        try waitUntilQuiet(for: .milliseconds(300))
        for place in [Place.client, .db] {
            try namespace(of: place).nft(
                """
                table inet silence {
                    chain out { type filter hook output priority 0; policy drop; }
                }
                """
            )
        }
        try waitUntilQuiet()
    }

    /// Waits until no packet has been sent or received for some time.
    func waitUntilQuiet(for pause: Duration = .milliseconds(50)) throws {
        func all() throws -> [InterfaceCounters] {
            try Self.places.map { try namespace(of: $0).counters(of: "eth0") }
        }
        var last = try all()
        var quietSince = ContinuousClock.now
        try #require(
            try eventually {
                let now = try all()
                if now != last { (last, quietSince) = (now, .now) }
                return ContinuousClock.now - quietSince > pause
            }
        )
    }

    /// The named counters of nftables on the node.
    func firewallCounters() throws -> [String: Count] { try FirewallCounters.read(in: node) }

    /// Offloads make super-packets, which interfaces count as one.
    func disableOffloads() throws {
        let off = ["tso": false, "gso": false, "gro": false, "tx": false]
        for place in Self.places { try namespace(of: place).setOffloads("eth0", off) }
        for interface in ClusterNode.pods.map({ "cali" + $0 }) + ["eth0"] { try node.setOffloads(interface, off) }
    }
}

// MARK: - Objects

extension PolicyNode {
    private static let objects = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: node-2}
        status: {addresses: [{type: InternalIP, address: 198.51.100.2}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: remote-7d4f9c-x9, generateName: remote-7d4f9c-, namespace: shop, uid: uid-remote, labels: {app: remote}}
        spec: {nodeName: node-2, containers: [{name: main}]}
        status: {phase: Running, podIP: 10.88.0.5, podIPs: [{ip: 10.88.0.5}, {ip: "fd88::5"}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: names, namespace: shop}
        spec:
          clusterIP: 10.96.0.10
          clusterIPs: [10.96.0.10, "fd96::10"]
          ports: [{name: dns, port: 53, targetPort: 5353, protocol: UDP}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: names-4, namespace: shop, labels: {kubernetes.io/service-name: names}}
        addressType: IPv4
        endpoints: [{addresses: [10.77.0.3], conditions: {ready: true}}]
        ports: [{name: dns, port: 5353, protocol: UDP}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: names-6, namespace: shop, labels: {kubernetes.io/service-name: names}}
        addressType: IPv6
        endpoints: [{addresses: ["fd77::3"], conditions: {ready: true}}]
        ports: [{name: dns, port: 5353, protocol: UDP}]

        """

    /// Policies that deny the client the database, the remote pod, hosts outside and two ports of the web server, and that deny
    /// the web server ingress from the client, from the remote pod and, at two ports, from all others.
    static let policies = """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.client, namespace: shop}
        spec:
          selector: app == 'client'
          types: [Egress]
          egress:
          - {action: Deny, destination: {selector: app == 'db'}}
          - {action: Deny, destination: {selector: app == 'remote'}}
          - {action: Deny, protocol: TCP, destination: {selector: app == 'web', ports: [8080]}}
          - {action: Deny, protocol: UDP, destination: {selector: app == 'web', ports: [5353]}}
          - {action: Deny, destination: {nets: [192.0.2.0/24, "2001:db8::/64"]}}
          - {action: Allow}
        ---
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.web, namespace: shop}
        spec:
          selector: app == 'web'
          types: [Ingress]
          ingress:
          - {action: Deny, source: {selector: app == 'client'}}
          - {action: Deny, source: {selector: app == 'remote'}}
          - {action: Deny, protocol: TCP, destination: {ports: [8080]}}
          - {action: Deny, protocol: UDP, destination: {ports: [5353]}}
          - {action: Allow}

        """

    /// The hit of a rule of ``policies``.
    static func hit(_ policy: String, _ action: String, _ rule: Int) -> [String] {
        ["0|default|shop/default.\(policy)|\(action)|\(rule)"]
    }

    /// The hit where no policy applies.
    static let profile = ["0|__PROFILE__|__PROFILE__.kns.shop|allow|0"]
}
