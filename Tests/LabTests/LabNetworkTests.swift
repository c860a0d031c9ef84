import Lab
import Testing

@Suite("LabNetwork", .needsRoot)
struct LabNetworkTests {
    @Test func allPodsAndNodeReachEachOther() throws {
        let network = try LabNetwork(pods: ["a", "b", "c"])
        let places =
            [(network.node, network.nodeIPv4, network.nodeIPv6)]
            + network.pods.map { ($0.namespace, $0.ipv4, $0.ipv6) }
        for (from, from4, from6) in places {
            for (to, ipv4, ipv6) in places {
                for (source, address) in [(from4, ipv4), (from6, ipv6)] {
                    let path = TrafficPath(from: from, to: to, at: address)
                    let trail = Comment(rawValue: "\(source) to \(address)")
                    #expect(try path.udp(count: 3, reply: 9).clientReceived.messages == 3, trail)
                    #expect(try path.tcp().clientReceived.bytes == 1000, trail)
                    #expect(try path.ping(count: 2).clientReceived.messages == 2, trail)
                }
            }
        }
    }

    @Test func podTrafficCrossesNodeInterfacesOnly() throws {
        let network = try LabNetwork(pods: ["a", "b", "c"])
        let (a, b) = (try network.pod("a"), try network.pod("b"))
        let before = try network.pods.map { try network.node.counters(of: $0.interface) }
        #expect(before.allSatisfy { $0.receivedPackets == 0 && $0.sentPackets == 0 })
        for (address, header) in [(b.ipv4, 20 + 8), (b.ipv6, 40 + 8)] {
            let previous = try network.pods.map { try network.node.counters(of: $0.interface) }
            _ = try TrafficPath(from: a.namespace, to: b.namespace, at: address).udp(count: 100, size: 50)
            let counted = try zip(network.pods, previous).map {
                try network.node.counters(of: $0.interface).since($1)
            }
            let bytes = UInt64(100 * (14 + header + 50))
            #expect(counted[0].receivedPackets == 100)
            #expect(counted[0].receivedBytes == bytes)
            #expect(counted[0].sentPackets == 0)
            #expect(counted[1].sentPackets == 100)
            #expect(counted[1].sentBytes == bytes)
            #expect(counted[1].receivedPackets == 0)
            #expect(counted[2].receivedPackets == 0)
            #expect(counted[2].sentPackets == 0)
        }
    }

    @Test func assignsNamesAndAddressesInOrder() throws {
        let network = try LabNetwork(pods: ["web", "db"], interfacePrefix: "veth-")
        #expect(network.pods.map(\.interface) == ["veth-web", "veth-db"])
        #expect(network.pods.map(\.ipv4.description) == ["10.77.0.2", "10.77.0.3"])
        #expect(network.pods.map(\.ipv6.description) == ["fd77::2", "fd77::3"])
        #expect(throws: LabError.invalid("no pod named x")) { try network.pod("x") }
    }

    @Test(arguments: [
        (["a", "a"], "a lab network has 1 to 200 pods, each with a name of its own"),
        (["abcdefghijkl"], "interface name caliabcdefghijkl: 1 to 15 bytes are allowed"),
    ])
    func rejectsInvalidPodNames(_ names: [String], _ text: String) {
        #expect(throws: LabError.invalid(text)) { try LabNetwork(pods: names) }
    }

    @Test func parallelNetworksAreIndependent() throws {
        // Each sends another number of datagrams between the same addresses.
        let work = try (1...8).map { number in
            try BackgroundWork {
                let network = try LabNetwork(pods: ["a", "b"])
                let (a, b) = (network.pods[0], network.pods[1])
                let path = TrafficPath(from: a.namespace, to: b.namespace, at: b.ipv4)
                let result = try path.udp(count: 1000 * number, size: 10, port: 99)
                return (result, try network.node.counters(of: a.interface).receivedPackets)
            }
        }
        for (index, part) in work.enumerated() {
            let (result, counted) = try part.value()
            let count = 1000 * (index + 1)
            #expect(result.clientSent == TrafficCount(messages: count, bytes: 10 * count))
            #expect(result.serverReceived == result.clientSent)
            #expect(counted == UInt64(count))
        }
    }

    @Test func stacksVLANInterfacesOrReportsMissingSupport() throws {
        let cable = try Cable()
        do {
            let outer = try cable.pair.tagged(VLANTag(5, .service), left: [], right: [])
            let inner = try outer.tagged(VLANTag(6), left: ["10.6.0.1/24"], right: ["10.6.0.2/24"])
            #expect(inner.left.interface == "eth0.5.6")
            let path = TrafficPath(from: cable.left, to: cable.right, at: try LabAddress("10.6.0.2"))
            #expect(try path.ping(count: 5).clientReceived.messages == 5)
            #expect(try cable.left.counters(of: "eth0").sentPackets == 5)
        } catch {
            let text = "ip link add link eth0 name eth0.5 type vlan proto 802.1ad id 5: exit status 1: "
            #expect(error.description.hasPrefix(text + "Error: Unknown device type."))
        }
    }
}
