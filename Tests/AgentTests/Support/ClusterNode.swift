import Foundation
import Lab
import Testing

/// A typical node of a cluster: pods that an inventory file names, an uplink to a host outside, and nftables that translates
/// addresses as kube-proxy does.
struct ClusterNode {
    let network: LabNetwork
    /// The node's end of the uplink is `eth0`.
    let outside: NetworkNamespace
    /// A file that names everything.
    let inventory: String

    static let pods = ["client", "web", "db"]
    static let nodeAddress = "192.0.2.10"
    static let outsideAddress = "192.0.2.20"
    static let servicePort: UInt16 = 80
    static let nodePort: UInt16 = 30080
    static let targetPort: UInt16 = 8080

    /// Makes the network; the names of the node's ends of the pods' interfaces begin with `interfacePrefix`.
    init(_ folder: TemporaryFolder, interfacePrefix: String = "cali") throws {
        network = try LabNetwork(pods: Self.pods, interfacePrefix: interfacePrefix)
        outside = try NetworkNamespace()
        // A router announces a new interface to its neighbours.
        try network.node.setSysctl("net.ipv6.conf.all.forwarding", "0")
        _ = try VethPair(
            VethEnd(outside, interface: "eth0", addresses: ["\(Self.outsideAddress)/24", "2001:db8::20/64"]),
            VethEnd(network.node, interface: "eth0", addresses: ["\(Self.nodeAddress)/24", "2001:db8::10/64"])
        )
        try network.node.setSysctl("net.ipv6.conf.all.forwarding", "1")
        try outside.ip("route add 10.77.0.0/16 via \(Self.nodeAddress)")
        try outside.ip("route add fd77::/64 via 2001:db8::10")
        inventory = folder.file("inventory.yaml")
        try Self.objects.write(toFile: inventory, atomically: true, encoding: .utf8)
        try network.node.nft(Self.translation)
    }

    /// The rules that kube-proxy would make of the service, and a masquerade of packets that leave the cluster.
    private static let translation = """
        table ip nat {
          chain prerouting {
            type nat hook prerouting priority dstnat
            ip daddr 10.96.0.10 tcp dport \(servicePort) dnat to 10.77.0.3:\(targetPort)
            ip daddr \(nodeAddress) tcp dport \(nodePort) dnat to 10.77.0.3:\(targetPort)
          }
          chain output {
            type nat hook output priority -100
            ip daddr 10.96.0.10 tcp dport \(servicePort) dnat to 10.77.0.3:\(targetPort)
          }
          chain postrouting {
            type nat hook postrouting priority srcnat
            oifname "eth0" ip saddr 10.77.0.0/16 meta l4proto tcp masquerade to :40000-40999
          }
        }
        table ip6 nat {
          chain prerouting {
            type nat hook prerouting priority dstnat
            ip6 daddr fd96::10 tcp dport \(servicePort) dnat to [fd77::3]:\(targetPort)
          }
        }
        """

    /// The inventory of the cluster, as `kubectl get -o yaml` would print it.
    static var objects: String {
        var documents = pods.enumerated().map { index, name in pod(name, index + 2) }
        documents.append(
            """
            apiVersion: v1
            kind: Node
            metadata: {name: node-1, labels: {kubernetes.io/hostname: node-1}}
            status:
              addresses:
              - {type: InternalIP, address: \(nodeAddress)}
              - {type: Hostname, address: node-1}
            """
        )
        documents.append(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec:
              type: NodePort
              clusterIP: 10.96.0.10
              clusterIPs: [10.96.0.10, "fd96::10"]
              ports:
              - {name: http, port: \(servicePort), targetPort: \(targetPort), nodePort: \(nodePort), protocol: TCP}
            """
        )
        documents.append(slice("IPv4", "10.77.0.3"))
        documents.append(slice("IPv6", "fd77::3"))
        documents.append(
            """
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkSet
            metadata: {name: partners, labels: {trust: partner}}
            spec: {nets: [192.0.2.20/32, "2001:db8::20/128"]}
            """
        )
        return documents.joined(separator: "\n---\n") + "\n"
    }

    /// The pods' own addresses are those of ``LabNetwork``.
    private static func pod(_ name: String, _ number: Int) -> String {
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(name)-7d4f9c-x\(number)
          generateName: \(name)-7d4f9c-
          namespace: shop
          uid: uid-\(name)
          labels: {app: \(name), projectcalico.org/orchestrator: k8s}
        spec: {nodeName: node-1, containers: [{name: main}]}
        status:
          phase: Running
          podIP: 10.77.0.\(number)
          podIPs: [{ip: 10.77.0.\(number)}, {ip: "fd77::\(number)"}]
        """
    }

    private static func slice(_ family: String, _ address: String) -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-\(family.lowercased()), namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: \(family)
        endpoints: [{addresses: ["\(address)"], conditions: {ready: true}}]
        ports: [{name: http, port: \(targetPort), protocol: TCP}]
        """
    }
}
