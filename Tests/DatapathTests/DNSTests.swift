import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Copies of the DNS messages that real sockets exchange, made at the client's interface.
    @Suite("DNS messages")
    struct DNSTests {
        private static let query: [UInt8] = Array("query of at least 12 bytes".utf8)
        private static let reply: [UInt8] = Array("reply, which is longer than the query".utf8)

        private func expect(
            _ packets: [DNSPacket],
            areOf exchange: UDPExchange,
            on interface: String,
            in namespace: NetworkNamespace
        ) throws {
            let index = try namespace.run { if_nametoindex(interface) }
            try #require(packets.count == 2)
            #expect(packets.map(\.isResponse) == [false, true])
            #expect(packets.map(\.bytes) == [Self.query, Self.reply])
            for packet in packets {
                #expect(packet.interfaceIndex == index)
                #expect(packet.client == exchange.client && packet.server == exchange.server)
                #expect(packet.clientPort == exchange.clientPort)
                #expect(!packet.isForged)
            }
            #expect(packets[0].time <= packets[1].time && packets[0].time > 0)
        }

        private func hasNoDNSNotice(_ monitor: Monitor) -> Bool {
            monitor.notices.allSatisfy { if case .dnsUnavailable = $0 { false } else { true } }
        }

        /// Pod a queries pod b: the messages are copied at a's interface, and both interfaces count all packets.
        @Test(arguments: [false, true], [AttachMode.auto, .clsact])
        func copiesMessagesAtClientInterface(ipv6: Bool, mode: AttachMode) throws {
            let node = try SocketNode()
            var configuration = DatapathConfiguration(
                interfaces: InterfaceSelection(include: ["cali*", "up0"], workload: ["cali*"]),
                tableSlots: 32768,
                attachMode: mode
            )
            configuration.collects = .dns
            let monitor = try Monitor(in: node.lab.node, configuration)
            #expect(hasNoDNSNotice(monitor))
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let addresses = ipv6 ? (a.ipv6, b.ipv6) : (a.ipv4, b.ipv4)
            let exchange = try UDPExchange(
                from: (a.namespace, addresses.0),
                to: (b.namespace, addresses.1),
                Self.query,
                Self.reply
            )
            try monitor.scan()
            try expect(monitor.dns, areOf: exchange, on: a.interface, in: node.lab.node)
            let header = ipv6 ? 48 : 28
            let sizes = (UInt64(header + Self.query.count), UInt64(header + Self.reply.count))
            let flows = monitor.flows.filter { $0.key.isDNS }
            #expect(flows.count == 2)
            for (key, flow) in flows {
                let isClients = key.farPort == 53
                #expect(flow.ingress == TrafficCounters(packets: 1, bytes: isClients ? sizes.0 : sizes.1))
                #expect(flow.egress == TrafficCounters(packets: 1, bytes: isClients ? sizes.1 : sizes.0))
            }
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// The node's own queries are copied at its uplink; forwarded ones are copied at the pod's interface only.
        @Test func copiesNodeQueriesAtUplink() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let outside = (node.outside, try LabAddress("192.0.2.2"))
            let own = try UDPExchange(
                from: (node.lab.node, LabAddress("192.0.2.1")),
                to: outside,
                Self.query,
                Self.reply
            )
            try monitor.scan()
            try expect(monitor.dns, areOf: own, on: "up0", in: node.lab.node)
            try node.outside.command(["ip", "route", "add", "10.77.0.0/16", "via", "192.0.2.1"])
            let a = try node.lab.pod("a")
            let forwarded = try UDPExchange(from: (a.namespace, a.ipv4), to: outside, Self.query, Self.reply)
            try monitor.scan()
            try expect(Array(monitor.dns.dropFirst(2)), areOf: forwarded, on: a.interface, in: node.lab.node)
            try monitor.stop()
        }

        /// The answer arrives through another interface of the node than the query left by, as with bonds.
        @Test func copiesAnswersFromOtherUplink() throws {
            let node = try SocketNode()
            _ = try VethPair(
                VethEnd(node.lab.node, interface: "up1", addresses: ["192.0.3.1/24"]),
                VethEnd(node.outside, interface: "eth1", addresses: ["192.0.3.2/24"])
            )
            for interface in ["all", "up1"] {
                try node.lab.node.setSysctl("net.ipv4.conf.\(interface).rp_filter", "0")
            }
            try node.outside.command(["ip", "route", "add", "192.0.2.1/32", "via", "192.0.3.1"])
            var configuration = DatapathConfiguration(
                interfaces: InterfaceSelection(include: ["up*"]),
                tableSlots: 32768
            )
            configuration.collects = .dns
            let monitor = try Monitor(in: node.lab.node, configuration)
            let exchange = try UDPExchange(
                from: (node.lab.node, LabAddress("192.0.2.1")),
                to: (node.outside, LabAddress("192.0.2.2")),
                Self.query,
                Self.reply
            )
            try monitor.scan()
            let uplinks = try (node.lab.node.index(of: "up0"), node.lab.node.index(of: "up1"))
            #expect(monitor.dns.map(\.interfaceIndex) == [uplinks.0, uplinks.1])
            #expect(monitor.dns.map(\.isResponse) == [false, true])
            #expect(monitor.dns.allSatisfy { $0.isHost && $0.client == exchange.client })
            try monitor.stop()
        }

        /// A connected socket of the node has the address of a service, its packets that of a server.
        @Test func copiesNodeQueriesToService() throws {
            let node = try SocketNode()
            try node.lab.node.ip("route add 10.96.0.0/16 via 192.0.2.2")
            try node.lab.node.nft(
                """
                table ip service {
                    chain output {
                        type nat hook output priority -100
                        ip daddr 10.96.0.10 udp dport 53 dnat to 192.0.2.2:53
                    }
                }
                """
            )
            let monitor = try node.monitor(collects: .dns)
            let server = """
                import socket
                server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                server.settimeout(60)
                server.bind(("192.0.2.2", 53))
                query, client = server.recvfrom(512)
                server.sendto(b"answer of at least 12 bytes", client)
                """
            let start = "python3 -c \"$1\" < /dev/null &> /dev/null &"
            _ = try node.outside.command(["bash", "-c", start, "-", server])
            try #require(try eventually { try node.outside.command(["ss", "-Hlun"]).contains("192.0.2.2:53 ") })
            let client = """
                import socket
                client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                client.settimeout(60)
                client.connect(("10.96.0.10", 53))
                client.send(b"query of at least 12 bytes")
                client.recv(512)
                """
            _ = try node.lab.node.command(["python3", "-c", client])
            try monitor.scan()
            #expect(monitor.dns.map(\.isResponse) == [false, true])
            #expect(monitor.dns.allSatisfy { $0.isHost && $0.server == IPAddress(192, 0, 2, 2) })
            try monitor.stop()
        }

        /// Sends a query with the node's address.
        enum Pretender: CaseIterable {
            /// A raw socket of the node, as a virtual machine or another user of the device would.
            case rawSocket
            /// A socket that has bound the address in the network namespace of a macvlan.
            case macvlan
        }

        @Test(arguments: Pretender.allCases) func pretenderAsksNothingForNode(_ pretender: Pretender) throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let pod = try NetworkNamespace()
            let ask: () throws -> Void
            switch pretender {
            case .rawSocket:
                let query = """
                    import socket, struct
                    message = b"query of at least 12 bytes"
                    udp = struct.pack("!4H", 40000, 53, 8 + len(message), 0) + message
                    ip = struct.pack("!2B3H2BH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
                    ip += socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
                    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
                    raw.sendto(ip + udp, ("192.0.2.2", 0))
                    """
                ask = { _ = try node.lab.node.command(["python3", "-c", query]) }
            case .macvlan:
                try node.lab.node.ip("link add link up0 name mv0 type macvlan mode bridge")
                try node.lab.node.ip("link set mv0 netns \(pod.path)")
                try pod.ip("address add 192.0.2.1/24 dev mv0")
                try pod.ip("link set mv0 up")
                try pod.ip("neighbor add 192.0.2.2 lladdr 02:00:00:00:00:99 dev mv0")
                ask = {
                    _ = try pod.command(["bash", "-c", "echo query of at least 12 bytes > /dev/udp/192.0.2.2/53"])
                }
            }
            let isCounted = try eventually {
                try ask()
                try monitor.scan()
                return monitor.flows.contains { $0.key.isDNS && $0.value.egress.packets > 0 }
            }
            #expect(isCounted && monitor.dns.isEmpty)
            try monitor.stop()
        }

        /// A copy has at most 1,232 bytes of a message; the flow counts all its bytes.
        @Test(arguments: [12, 128, 129, 512, 513, 1232, 1233, 1472])
        func truncatesLongMessages(size: Int) throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let reply = (0..<size).map { UInt8($0 % 251) }
            _ = try UDPExchange(from: (a.namespace, a.ipv4), to: (b.namespace, b.ipv4), Self.query, reply)
            try monitor.scan()
            #expect(monitor.dns.last?.bytes == Array(reply.prefix(1232)))
            #expect(monitor.flows.values.reduce(0) { max($0, $1.egress.bytes) } >= UInt64(size + 28))
            try monitor.stop()
        }

        /// A packet that is too short for a DNS header is counted, and not copied.
        @Test func ignoresPacketsShorterThanHeader() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let short = [UInt8](repeating: 1, count: 11)
            _ = try UDPExchange(from: (a.namespace, a.ipv4), to: (b.namespace, b.ipv4), short, short)
            try monitor.scan()
            #expect(monitor.dns.isEmpty)
            #expect(monitor.flows.filter { $0.key.isDNS }.values.reduce(0) { $0 + $1.ingress.packets } == 2)
            try monitor.stop()
        }

        @Test func copiesNothingUnlessCollected() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [])
            let hasPlace = try monitor.perform { datapath in (try? datapath.programs.map("dns_programs")) != nil }
            #expect(!hasPlace)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            _ = try UDPExchange(from: (a.namespace, a.ipv4), to: (b.namespace, b.ipv4), Self.query, Self.reply)
            try monitor.scan()
            #expect(monitor.dns.isEmpty && monitor.flows.keys.count(where: \.isDNS) == 2)
            try monitor.stop()
        }

        /// Without the programs that copy messages, all packets are still counted.
        @Test func countsPacketsWithoutCopyProgram() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            try monitor.perform { $0.dns = nil }
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            _ = try UDPExchange(from: (a.namespace, a.ipv4), to: (b.namespace, b.ipv4), Self.query, Self.reply)
            try monitor.scan()
            #expect(monitor.dns.isEmpty)
            let flows = monitor.flows.filter { $0.key.isDNS }.values
            #expect(flows.map(\.ingress.packets) == [1, 1] && flows.map(\.egress.packets) == [1, 1])
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// Answers without a query use no space in the ring.
        @Test func unsolicitedAnswersAreNotCopied() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try UDPExchange.send(20_000, from: (b.namespace, b.ipv4), to: a.ipv4, Self.reply)
            let exchange = try UDPExchange(
                from: (a.namespace, a.ipv4),
                to: (b.namespace, b.ipv4),
                Self.query,
                Self.reply
            )
            try monitor.settle(b.interface, ingress: 20_001)
            #expect(try monitor.account(of: a.interface).egress.seen.packets >= 20_001)
            try expect(monitor.dns, areOf: exchange, on: a.interface, in: node.lab.node)
            #expect(try monitor.perform { $0.losses.missedDNS } == 0)
            try monitor.stop()
        }

        /// An answer that a pod sends with the server's address is marked as forged, even if everything else matches.
        @Test func marksAnswersFromSpoofedAddressAsForged() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let server = try LabAddress("192.0.2.2")
            let router = [UInt8](repeating: 0xee, count: 6)
            let query = Packet.udp(from: a.ipv4, port: 4000, to: server, port: 53, payload: Self.query)
            try FrameSender("eth0", in: a.namespace).send(Packet.ethernet(destination: router, payload: query))
            let forged = Packet.udp(from: server, port: 53, to: a.ipv4, port: 4000, payload: Self.reply)
            try FrameSender("eth0", in: b.namespace).send(Packet.ethernet(destination: router, payload: forged))
            let isSeen = try eventually {
                try monitor.scan()
                return monitor.dns.count == 2
            }
            #expect(isSeen, "\(monitor.dns)")
            #expect(monitor.dns.map(\.isResponse) == [false, true])
            #expect(monitor.dns.map(\.isForged) == [false, true])
            try monitor.stop()
        }

        /// A forged answer to a query for a service is marked, although it has the same addresses as the genuine answer.
        @Test(arguments: [false, true])
        func marksForgedAnswersOfService(ipv6: Bool) throws {
            let node = try SocketNode(pods: ["a", "b", "c"])
            let (a, b, c) = try (node.lab.pod("a"), node.lab.pod("b"), node.lab.pod("c"))
            let service = try LabAddress(ipv6 ? "fd96::10" : "10.96.0.10")
            let (client, server) = ipv6 ? (a.ipv6, b.ipv6) : (a.ipv4, b.ipv4)
            let family = ipv6 ? "ip6" : "ip"
            let target = ipv6 ? "[\(server)]" : "\(server)"
            try node.lab.node.nft(
                """
                table \(family) service {
                    chain prerouting {
                        type nat hook prerouting priority -100
                        \(family) daddr \(service) udp dport 53 dnat to \(target):53
                    }
                }
                """
            )
            let monitor = try node.monitor(collects: .dns)
            func send(
                _ payload: [UInt8],
                by pod: LabNetwork.Pod,
                from source: (address: LabAddress, port: UInt16),
                to target: (address: LabAddress, port: UInt16)
            ) throws {
                let packet = Packet.udp(
                    from: source.address,
                    port: source.port,
                    to: target.address,
                    port: target.port,
                    payload: payload
                )
                let router = [UInt8](repeating: 0xee, count: 6)
                try FrameSender("eth0", in: pod.namespace).send(Packet.ethernet(destination: router, payload: packet))
            }
            func seen(_ count: Int) throws -> Bool {
                try eventually {
                    try monitor.scan()
                    return monitor.dns.count == count
                }
            }
            try send(Self.query, by: a, from: (client, 4000), to: (service, 53))
            #expect(try seen(1))
            try send(Self.reply, by: c, from: (server, 53), to: (client, 4000))
            #expect(try seen(2))
            try send(Self.reply, by: b, from: (server, 53), to: (client, 4000))
            #expect(try seen(3), "\(monitor.dns)")
            #expect(monitor.dns.map(\.isResponse) == [false, true, true])
            #expect(Set(monitor.dns.map(\.server)) == [IPAddress("\(service)")])
            #expect(monitor.dns.map(\.isForged) == [false, true, false])
            try monitor.stop()
        }

        /// Answers to open queries whose ports have the same low bits are all copied.
        @Test func portsWithSameLowBitsShareNoPlace() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let monitor = try node.monitor(collects: .dns)
            let ports = (0..<UInt16(WEIR_DNS_PORTS_ALIKE)).map { 4000 + $0 * UInt16(WEIR_DNS_PORTS) }
            let router = [UInt8](repeating: 0xee, count: 6)
            func send(_ packet: [UInt8], by pod: LabNetwork.Pod) throws {
                try FrameSender("eth0", in: pod.namespace).send(Packet.ethernet(destination: router, payload: packet))
            }
            for port in ports {
                try send(Packet.udp(from: a.ipv4, port: port, to: b.ipv4, port: 53, payload: Self.query), by: a)
            }
            for port in ports {
                try send(Packet.udp(from: b.ipv4, port: 53, to: a.ipv4, port: port, payload: Self.reply), by: b)
            }
            let areCopied = try eventually {
                try monitor.scan()
                return monitor.dns.count == 2 * ports.count
            }
            #expect(areCopied, "\(monitor.dns)")
            #expect(monitor.dns.filter(\.isResponse).map(\.clientPort) == ports)
            try monitor.stop()
        }

        /// The reader is woken before a single busy pod has used its quarter of the ring.
        @Test func busyClientWakesReader() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let a = try node.lab.pod("a")
            let record = 8 + MemoryLayout<weir_dns_message>.size + Int(WEIR_DNS_SMALL)
            let server = try LabAddress("192.0.2.2")
            let packet = Packet.udp(from: a.ipv4, port: 4000, to: server, port: 53, payload: Self.query)
            let count = Int(WEIR_DNS_RING) / 5 / record
            try FrameSender("eth0", in: a.namespace).send(Packet.ethernet(payload: packet), times: count)
            #expect(try monitor.perform { isReadable($0.dnsDescriptor, within: 5000) })
            try monitor.settle(a.interface, ingress: UInt64(count))
            #expect(monitor.dns.count == count)
            #expect(try monitor.perform { $0.losses.missedDNS } == 0)
            try monitor.stop()
        }

        /// A flood from one pod fills only its share of the ring; no message of another pod is lost.
        @Test func floodTakesOnlyItsShareOfRing() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .dns)
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let server = try LabAddress("192.0.2.2")
            let packet = Packet.udp(from: a.ipv4, port: 4000, to: server, port: 53, payload: Self.query)
            try FrameSender("eth0", in: a.namespace).send(Packet.ethernet(payload: packet), times: 20_000)
            let exchange = try UDPExchange(
                from: (b.namespace, b.ipv4),
                to: (a.namespace, a.ipv4),
                Self.query,
                Self.reply
            )
            try monitor.settle(a.interface, ingress: 20_000)
            let ofB = monitor.dns.filter { $0.client == exchange.client }
            try expect(ofB, areOf: exchange, on: b.interface, in: node.lab.node)
            let ofA = monitor.dns.count { $0.client != exchange.client }
            let record = 8 + MemoryLayout<weir_dns_message>.size + Int(WEIR_DNS_SMALL)
            let lost = try monitor.perform { $0.losses.missedDNS }
            #expect(ofA >= Int(WEIR_DNS_RING) / 4 / record)
            #expect(UInt64(ofA) + lost == 20_000)
            #expect(lost > 0)
            try monitor.stop()
        }
    }
}

extension FlowKey {
    fileprivate var isDNS: Bool { nearPort == 53 || farPort == 53 }
}

/// A datagram to port 53 and its answer, sent through real sockets.
struct UDPExchange {
    let client: IPAddress
    let server: IPAddress
    let clientPort: UInt16

    init(
        from client: (namespace: NetworkNamespace, address: LabAddress),
        to server: (namespace: NetworkNamespace, address: LabAddress),
        _ query: [UInt8],
        _ reply: [UInt8]
    ) throws {
        let asking = try client.namespace.run { try Self.socket(client.address, port: 0) }
        defer { Self.release(asking) }
        let answering = try server.namespace.run { try Self.socket(server.address, port: 53) }
        defer { Self.release(answering) }
        var place = Self.storage(server.address, port: 53)
        let sent = Self.withAddress(&place) { sendto(asking, query, query.count, 0, $0, $1) }
        try #require(sent == query.count)
        try #require(isReadable(answering, within: 5000))
        var bytes = [UInt8](repeating: 0, count: 2048)
        var sender = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let received = withUnsafeMutablePointer(to: &sender) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(answering, &bytes, bytes.count, 0, $0, &length)
            }
        }
        try #require(Array(bytes.prefix(received)) == query)
        clientPort = withUnsafeBytes(of: sender) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
        let answered = Self.withAddress(&sender) { sendto(answering, reply, reply.count, 0, $0, $1) }
        try #require(answered == reply.count)
        try #require(isReadable(asking, within: 5000))
        try #require(recv(asking, &bytes, bytes.count, 0) == reply.count)
        self.client = try #require(IPAddress("\(client.address)"))
        self.server = try #require(IPAddress("\(server.address)"))
    }

    /// Sends datagrams from port 53 to successive ports, starting at 1024.
    static func send(
        _ count: Int,
        from sender: (namespace: NetworkNamespace, address: LabAddress),
        to receiver: LabAddress,
        _ bytes: [UInt8]
    ) throws {
        let socket = try sender.namespace.run { try Self.socket(sender.address, port: 53) }
        defer { release(socket) }
        for number in 0..<count {
            var place = storage(receiver, port: 1024 + UInt16(number % 60_000))
            let sent = withAddress(&place) { sendto(socket, bytes, bytes.count, 0, $0, $1) }
            try #require(sent == bytes.count)
        }
    }

    /// Closes a socket; its port is free then.
    private static func release(_ number: Int32) {
        close(number)
        SpawnLock.barrier()
    }

    private static func socket(_ address: LabAddress, port: UInt16) throws -> Int32 {
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let number = Glibc.socket(family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try #require(number >= 0)
        var place = storage(address, port: port)
        try #require(withAddress(&place) { bind(number, $0, $1) } == 0, "bind: errno \(errno)")
        return number
    }

    private static func storage(_ address: LabAddress, port: UInt16) -> sockaddr_storage {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: sa_family_t(address.isIPv6 ? AF_INET6 : AF_INET), as: sa_family_t.self)
            bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            for (index, byte) in address.bytes.enumerated() { bytes[(address.isIPv6 ? 8 : 4) + index] = byte }
        }
        return storage
    }

    private static func withAddress<Result>(
        _ storage: inout sockaddr_storage,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        let isIPv6 = Int32(storage.ss_family) == AF_INET6
        let length = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }
}
