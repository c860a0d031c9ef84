import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Whether the address of a near end belongs behind its interface.
    @Suite("Near places")
    struct NearPlaceTests {
        private static let node: [UInt8] = [0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
        /// The left end of a pair of the lab.
        private static let pairMAC: [UInt8] = [2, 0, 0, 0, 0, 1]

        /// Sends one datagram out of a namespace under any address.
        private func send(
            from source: String,
            to destination: String,
            port: UInt16 = 2000,
            mac: [UInt8] = node,
            through interface: String = "eth0",
            in namespace: NetworkNamespace
        ) throws {
            let packet = Packet.udp(
                from: try LabAddress(source),
                port: 3000,
                to: try LabAddress(destination),
                port: port,
                payload: [1]
            )
            let frame = Packet.ethernet(destination: mac, source: [2, 0x77, 0, 0, 0, 2], payload: packet)
            try FrameSender(interface, in: namespace).send(frame)
        }

        /// The place of the flow of a near address, once it is seen.
        private func place(of near: String, at port: UInt16 = 2000, _ monitor: Monitor) throws -> NearPlace {
            let address = try #require(IPAddress(near))
            var place: NearPlace?
            let isSeen = try eventually {
                try monitor.scan()
                place = monitor.places.first { $0.key.near == address && $0.key.farPort == port }?.value
                return place != nil
            }
            #expect(isSeen, "\(near): \(monitor.places)")
            return try #require(place)
        }

        /// Pods with host routes, as Calico connects them.
        @Test func routedPodOwnsOnlyItsAddresses() throws {
            let network = try LabNetwork(pods: ["a", "b"])
            let (a, b) = (try network.pod("a"), try network.pod("b"))
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["cali*"])
            let monitor = try Monitor(in: network.node, configuration)
            let far = "\(network.nodeIPv4)"
            try send(from: "\(a.ipv4)", to: far, in: a.namespace)
            #expect(try place(of: "\(a.ipv4)", monitor) == .behind)
            try send(from: "\(a.ipv6)", to: "\(network.nodeIPv6)", in: a.namespace)
            #expect(try place(of: "\(a.ipv6)", monitor) == .behind)
            let owner = try IPAddress(a.ipv4)
            // Another pod, the node, and a remote host.
            try send(from: "\(b.ipv4)", to: far, in: a.namespace)
            #expect(try place(of: "\(b.ipv4)", monitor) == .elsewhere(owner: owner))
            try send(from: far, to: "\(b.ipv4)", port: 2001, in: a.namespace)
            #expect(try place(of: far, at: 2001, monitor) == .elsewhere(owner: owner))
            try send(from: "192.0.2.7", to: far, in: a.namespace)
            #expect(try place(of: "192.0.2.7", monitor) == .notBehind(owner: owner))
            // Addresses that any number of hosts may use: DHCP, link-local.
            try send(from: "0.0.0.0", to: "255.255.255.255", in: a.namespace)
            #expect(try place(of: "0.0.0.0", monitor) == .unknown)
            try send(from: "fe80::1", to: "ff02::2", in: a.namespace)
            #expect(try place(of: "fe80::1", monitor) == .unknown)
            // A network behind the pod, which is a gateway.
            try network.node.ip("route add 198.51.100.0/24 via \(a.ipv4) dev \(a.interface) onlink")
            try send(from: "198.51.100.9", to: far, in: a.namespace)
            #expect(try place(of: "198.51.100.9", monitor) == .behind)
            try monitor.stop()
        }

        /// Addresses of the other end of a pair are behind it, except those to which it only forwards: another node's pods.
        @Test func placedAddressesExcludeGatewayRoutes() throws {
            let network = try LabNetwork(pods: ["a", "b"])
            let (a, b) = (try network.pod("a"), try network.pod("b"))
            try b.namespace.ip("address add 10.99.0.9/32 dev lo")
            try network.node.ip("route add 10.99.0.0/24 via \(b.ipv4) dev \(b.interface) onlink")
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["cali*"])
            let monitor = try Monitor(in: network.node, configuration)
            var placed: Set<IPAddress> = []
            try monitor.perform { placed = $0.placedAddresses }
            for pod in [a, b] {
                #expect(placed.contains(try IPAddress(pod.ipv4)))
                #expect(placed.contains(try IPAddress(pod.ipv6)))
            }
            #expect(!placed.contains(IPAddress(10, 99, 0, 9)))
            // Without the gateway it may well be a pod's own.
            try network.node.ip("route replace 10.99.0.0/24 dev \(b.interface)")
            try monitor.perform { placed = $0.placedAddresses }
            #expect(placed.contains(IPAddress(10, 99, 0, 9)))
            try monitor.stop()
        }

        /// An address that is added while the agent runs, and one that moves to another pod.
        @Test func followsAddedAndMovedAddresses() throws {
            let network = try LabNetwork(pods: ["a", "b"])
            let (a, b) = (try network.pod("a"), try network.pod("b"))
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["cali*"])
            let monitor = try Monitor(in: network.node, configuration)
            let far = "\(network.nodeIPv4)"
            try a.namespace.ip("address add 10.88.0.9/32 dev eth0")
            usleep(1_100_000)
            try send(from: "10.88.0.9", to: far, in: a.namespace)
            #expect(try place(of: "10.88.0.9", monitor) == .behind)
            try a.namespace.ip("address del 10.88.0.9/32 dev eth0")
            try b.namespace.ip("address add 10.88.0.9/32 dev eth0")
            usleep(1_100_000)
            try send(from: "10.88.0.9", to: far, port: 2001, in: b.namespace)
            #expect(try place(of: "10.88.0.9", at: 2001, monitor) == .behind)
            try monitor.stop()
        }

        /// Pods on a bridge have no host routes; what they send first is no evidence.
        @Test func bridgedPodCannotClaimForeignAddress() throws {
            let node = try NetworkNamespace()
            let pods = [try NetworkNamespace(), try NetworkNamespace()]
            for (index, pod) in pods.enumerated() {
                _ = try VethPair(
                    VethEnd(node, interface: "v\(index)"),
                    VethEnd(pod, addresses: ["10.9.0.\(index + 2)/24"], hardwareAddress: "02:00:00:00:02:0\(index)")
                )
            }
            try node.ipBatch([
                "link add br0 address \(Self.node.map { String($0, radix: 16) }.joined(separator: ":")) type bridge",
                "link set v0 master br0", "link set v1 master br0", "link set br0 up",
                "address add 10.9.0.1/24 dev br0",
            ])
            let victim = IPAddress(10, 9, 0, 2)
            let monitor = try Monitor(in: node, DatapathConfiguration(tableSlots: 1024))
            try monitor.perform { $0.setWorkloadAddresses([victim, IPAddress(10, 9, 0, 3)]) }
            try send(from: "10.9.0.2", to: "10.9.0.1", in: pods[1])
            #expect(try place(of: "10.9.0.2", monitor) == .elsewhere(owner: IPAddress(10, 9, 0, 3)))
            try send(from: "10.9.0.2", to: "10.9.0.1", port: 2001, in: pods[0])
            #expect(try place(of: "10.9.0.2", at: 2001, monitor) == .behind)
            try monitor.stop()
        }

        /// A pod with three networks, as Multus or Docker connects it: two pairs and a macvlan, and another pod.
        ///
        /// A host sends under any of its addresses through any of its interfaces.
        @Test func podAddressesBelongBehindAllItsInterfaces() throws {
            let (node, pod, other) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
            let pairs = [
                (VethEnd(node, interface: "v0"), VethEnd(pod, addresses: ["10.0.2.2/24"])),
                (VethEnd(node, interface: "v1"), VethEnd(pod, interface: "net1", addresses: ["10.0.1.2/24"])),
                (VethEnd(node, interface: "v2"), VethEnd(other, addresses: ["10.0.2.3/24"])),
            ]
            for (left, right) in pairs { _ = try VethPair(left, right) }
            try pod.ipBatch([
                "link add link eth0 name net2 type macvlan mode bridge", "address add 10.0.3.2/24 dev net2",
                "link set net2 up",
            ])
            let monitor = try Monitor(in: node, DatapathConfiguration(tableSlots: 1024))
            let (known, far) = (IPAddress(10, 0, 2, 2), "192.0.2.1")
            try monitor.perform { $0.setWorkloadAddresses([known, IPAddress(10, 0, 2, 3)]) }
            var port: UInt16 = 2000
            for interface in ["eth0", "net1"] {
                for address in ["10.0.1.2", "10.0.2.2", "10.0.3.2"] {
                    port += 1
                    try send(from: address, to: far, port: port, mac: Self.pairMAC, through: interface, in: pod)
                    #expect(try place(of: address, at: port, monitor) == .behind, "\(address) through \(interface)")
                }
                port += 1
                try send(from: "10.0.2.3", to: far, port: port, mac: Self.pairMAC, through: interface, in: pod)
                #expect(try place(of: "10.0.2.3", at: port, monitor) == .elsewhere(owner: known), "\(interface)")
            }
            try send(from: "10.0.1.2", to: far, mac: Self.pairMAC, in: other)
            #expect(try place(of: "10.0.1.2", monitor) == .elsewhere(owner: IPAddress(10, 0, 2, 3)))
            // Each of its interfaces is a workload's, whichever the known address is configured on.
            #expect(Set(monitor.roles.values) == [.workload])
            try monitor.stop()
        }

        /// The host route leads to the pod through one of its interfaces; it answers through the other.
        @Test func routedAddressIsBehindAllInterfacesOfPod() throws {
            let network = try LabNetwork(pods: ["a", "b"])
            let (a, b) = (try network.pod("a"), try network.pod("b"))
            _ = try VethPair(VethEnd(network.node, interface: "cali1"), VethEnd(a.namespace, interface: "net1"))
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["cali*"])
            let monitor = try Monitor(in: network.node, configuration)
            let owner = try IPAddress(a.ipv4)
            try monitor.perform { $0.setWorkloadAddresses([owner, try IPAddress(b.ipv4)]) }
            let far = "\(network.nodeIPv4)"
            try send(from: "\(a.ipv4)", to: far, mac: Self.pairMAC, through: "net1", in: a.namespace)
            #expect(try place(of: "\(a.ipv4)", monitor) == .behind)
            try send(from: "\(b.ipv4)", to: far, mac: Self.pairMAC, through: "net1", in: a.namespace)
            #expect(try place(of: "\(b.ipv4)", monitor) == .elsewhere(owner: owner))
            try monitor.stop()
        }

        /// Two pods have the same address for themselves, as the bridge of a Docker in a pod.
        @Test func duplicateAddressBelongsToFirstPod() throws {
            let network = try LabNetwork(pods: ["a", "b"])
            let (a, b) = (try network.pod("a"), try network.pod("b"))
            for pod in [a, b] { try pod.namespace.ip("address add 172.17.0.1/16 dev lo") }
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["cali*"])
            let monitor = try Monitor(in: network.node, configuration)
            let far = "\(network.nodeIPv4)"
            try send(from: "172.17.0.1", to: far, in: a.namespace)
            #expect(try place(of: "172.17.0.1", monitor) == .behind)
            try send(from: "172.17.0.1", to: far, port: 2001, in: b.namespace)
            #expect(try place(of: "172.17.0.1", at: 2001, monitor) == .notBehind(owner: IPAddress(b.ipv4)))
            try monitor.stop()
        }

        /// A pod may configure any address.
        @Test func hostAddressIsNeverBehindPod() throws {
            let network = try LabNetwork(pods: ["a", "b"])
            let (a, b) = (try network.pod("a"), try network.pod("b"))
            try a.namespace.ip("address add \(network.nodeIPv4)/32 dev lo")
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["cali*"])
            let monitor = try Monitor(in: network.node, configuration)
            try send(from: "\(network.nodeIPv4)", to: "\(b.ipv4)", in: a.namespace)
            let place = try place(of: "\(network.nodeIPv4)", monitor)
            guard case .elsewhere = place else {
                Issue.record("\(place)")
                return
            }
            try monitor.stop()
        }

        /// Packets that enter through the uplink under the address of a pod are not the pod's.
        @Test func addressSpoofedAtUplinkIsElsewhere() throws {
            let network = try LabNetwork(pods: ["a"])
            let a = try network.pod("a")
            let outside = try NetworkNamespace()
            _ = try VethPair(
                VethEnd(network.node, interface: "up0", addresses: ["192.0.2.1/24"]),
                VethEnd(outside, addresses: ["192.0.2.2/24"])
            )
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["up0"])
            let monitor = try Monitor(in: network.node, configuration)
            try send(from: "\(a.ipv4)", to: "192.0.2.1", mac: Self.pairMAC, in: outside)
            #expect(try place(of: "\(a.ipv4)", monitor) == .elsewhere(owner: IPAddress(192, 0, 2, 2)))
            try send(from: "192.0.2.2", to: "192.0.2.1", mac: Self.pairMAC, in: outside)
            #expect(try place(of: "192.0.2.2", monitor) == .behind)
            try monitor.stop()
        }
    }
}
