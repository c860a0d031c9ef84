/// A small Kubernetes node: the node and its pods, each in a network namespace, connected as with Calico.
///
/// A pod has one interface, `eth0`, with an IPv4 /32 and an IPv6 /128 address, and its default route through the node. The node
/// forwards; it has a route for each pod through the pod's host-side interface, and its two addresses on each of these
/// interfaces. Neighbours are permanent, so only generated packets are on the links.
package final class LabNetwork: Sendable {
    /// A pod of the network.
    package struct Pod: Sendable {
        /// The pod's name.
        package let name: String
        /// The name of the interface's host side.
        package let interface: String
        /// The network namespace of the pod, in which its interface is `eth0`.
        package let namespace: NetworkNamespace
        /// The IPv4 address, from 10.77.0.2 on.
        package let ipv4: LabAddress
        /// The IPv6 address, from fd77::2 on.
        package let ipv6: LabAddress
    }

    /// The network namespace of the node.
    package let node: NetworkNamespace
    /// The node's IPv4 address, 10.77.0.1.
    package let nodeIPv4: LabAddress
    /// The node's IPv6 address, fd77::1.
    package let nodeIPv6: LabAddress
    /// The pods, in the order of the names.
    package let pods: [Pod]

    /// The names of a pod and of its interface's host side.
    package struct PodName: Sendable, Hashable {
        /// The pod's name.
        package var name: String
        /// The interface's name, 1 to 15 bytes.
        package var interface: String

        /// Takes all members.
        package init(_ name: String, interface: String) {
            self.name = name
            self.interface = interface
        }
    }

    /// Creates a network.
    ///
    /// - Parameters:
    ///   - names: the names of the pods, unique, 1 to 200.
    ///   - interfacePrefix: the prefix of the host-side interface names; the pod's name follows, and both have at most 15
    ///     bytes.
    ///   - mtu: the maximum size of an IP packet, in bytes; IPv6 needs at least 1280.
    /// - Throws: ``LabError`` if a name is too long, or if the kernel or `ip` fails.
    package convenience init(
        pods names: [String],
        interfacePrefix: String = "cali",
        mtu: Int = 1500
    ) throws(LabError) {
        try self.init(pods: names.map { PodName($0, interface: interfacePrefix + $0) }, mtu: mtu)
    }

    /// Creates a network with given interface names.
    ///
    /// - Parameters:
    ///   - names: the names of the pods and their interfaces, unique, 1 to 200.
    ///   - mtu: the maximum size of an IP packet, in bytes; IPv6 needs at least 1280.
    /// - Throws: ``LabError`` if a name is too long, or if the kernel or `ip` fails.
    package init(pods names: [PodName], mtu: Int = 1500) throws(LabError) {
        guard (1...200).contains(names.count), Set(names.map(\.name)).count == names.count else {
            throw .invalid("a lab network has 1 to 200 pods, each with a name of its own")
        }
        for name in names where !(1...15).contains(name.interface.utf8.count) {
            throw .invalid("interface name \(name.interface): 1 to 15 bytes are allowed")
        }
        node = try NetworkNamespace()
        nodeIPv4 = try LabAddress("10.77.0.1")
        nodeIPv6 = try LabAddress("fd77::1")
        var pods: [Pod] = []
        for (index, name) in names.enumerated() {
            let pod = Pod(
                name: name.name,
                interface: name.interface,
                namespace: try NetworkNamespace(),
                ipv4: try LabAddress("10.77.0.\(index + 2)"),
                ipv6: try LabAddress("fd77::" + String(index + 2, radix: 16))
            )
            pods.append(pod)
        }
        self.pods = pods
        try connect(mtu)
    }

    /// Returns the pod with a name.
    ///
    /// - Throws: ``LabError/invalid(_:)`` if there is none.
    package func pod(_ name: String) throws(LabError) -> Pod {
        guard let pod = pods.first(where: { $0.name == name }) else { throw .invalid("no pod named \(name)") }
        return pod
    }

    // MARK: Set-up

    /// The Ethernet address of the host side of every pod interface, as with Calico.
    private static let nodeHardwareAddress = "ee:ee:ee:ee:ee:ee"
    /// The next hop of the pods' default route, as with Calico; no interface has this address.
    private static let gateway = "169.254.1.1"

    private static func hardwareAddress(_ number: Int) -> String {
        let text = String(number, radix: 16)
        return "02:77:00:00:00:" + (text.utf8.count == 1 ? "0" + text : text)
    }

    private func connect(_ mtu: Int) throws(LabError) {
        var lines: [String] = []
        for (index, pod) in pods.enumerated() {
            lines += nodeSide(of: pod, Self.hardwareAddress(index + 2), mtu)
        }
        try node.ip(batch: lines)
        for pod in pods {
            try pod.namespace.ip(batch: podSide(of: pod))
        }
        try node.waitUntilReady(pods.map(\.interface), [nodeIPv4.description, nodeIPv6.description])
        for pod in pods {
            try pod.namespace.waitUntilReady(["eth0"], [pod.ipv4.description, pod.ipv6.description])
        }
        try node.setSysctl("net.ipv4.ip_forward", "1")
        // This is the last step, because a new interface on a router sends announcements to its neighbours.
        try node.setSysctl("net.ipv6.conf.all.forwarding", "1")
    }

    private func nodeSide(of pod: Pod, _ hardwareAddress: String, _ mtu: Int) -> [String] {
        let device = "dev \(pod.interface)"
        return [
            "link add name \(pod.interface) mtu \(mtu) address \(Self.nodeHardwareAddress) type veth "
                + "peer name eth0 mtu \(mtu) address \(hardwareAddress) netns \(pod.namespace.path)",
            "link set \(device) multicast off arp off up",
            "address add \(nodeIPv4)/32 \(device)",
            "address add \(nodeIPv6)/128 \(device) nodad",
            "route add \(pod.ipv4)/32 \(device) src \(nodeIPv4)",
            "route add \(pod.ipv6)/128 \(device) src \(nodeIPv6)",
            "neighbour replace \(pod.ipv4) \(device) lladdr \(hardwareAddress) nud permanent",
            "neighbour replace \(pod.ipv6) \(device) lladdr \(hardwareAddress) nud permanent",
        ]
    }

    private func podSide(of pod: Pod) -> [String] {
        [
            "link set dev eth0 multicast off arp off up",
            "address add \(pod.ipv4)/32 dev eth0",
            "address add \(pod.ipv6)/128 dev eth0 nodad",
            "route add \(Self.gateway) dev eth0 scope link",
            "route add default via \(Self.gateway) dev eth0",
            "route add \(nodeIPv6)/128 dev eth0",
            "route add default via \(nodeIPv6) dev eth0",
            "neighbour replace \(Self.gateway) dev eth0 lladdr \(Self.nodeHardwareAddress) nud permanent",
            "neighbour replace \(nodeIPv6) dev eth0 lladdr \(Self.nodeHardwareAddress) nud permanent",
        ]
    }
}
