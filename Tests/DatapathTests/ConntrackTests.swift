import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// A node with two pods and an uplink that translates addresses as kube-proxy and network plugins configure it.
private final class TranslatingNode: Sendable {
    let network: LabNetwork
    let outside: NetworkNamespace
    let tracker: Conntrack
    /// A tracker without the program, as on kernels before 5.18.
    let messages: Conntrack

    /// The node that all tests use; each of its connections has a port of its own.
    static let shared = Result { try TranslatingNode() }

    private init() throws {
        network = try LabNetwork(pods: ["a", "b"])
        outside = try NetworkNamespace()
        let node = network.node
        _ = try VethPair(
            VethEnd(node, interface: "up0", addresses: ["192.0.2.1/24", "2001:db8::1/64"]),
            VethEnd(outside, addresses: ["192.0.2.2/24", "2001:db8::2/64"])
        )
        try node.ipBatch(["route add default via 192.0.2.2", "route add default via 2001:db8::2"])
        // The lab's SCTP packets have no checksum.
        try node.setSysctl("net.netfilter.nf_conntrack_checksum", "0")
        try node.nft(Self.rules("ip", pods: ("10.77.0.2", "10.77.0.3"), services: "10.96.0.", out: "192.0.2.2", "a:b"))
        try node.nft(Self.rules("ip6", pods: ("fd77::2", "fd77::3"), services: "fd96::", out: "2001:db8::2", "[a]:b"))
        tracker = try node.run { try Conntrack() }
        messages = try node.run { try Conntrack(usesProgram: false) }
    }

    /// Looks up many connections at once, in the node's namespace.
    func connections(_ packets: [TrackedConnection.Tuple], usesProgram: Bool) throws -> [TrackedConnection?] {
        let tracker = usesProgram ? tracker : messages
        return try network.node.run { tracker.connections(of: packets) }
    }

    private static func rules(
        _ family: String,
        pods: (a: String, b: String),
        services: String,
        out: String,
        _ form: String
    ) -> String {
        func place(_ address: String, _ port: Int) -> String {
            form == "a:b" ? "\(address):\(port)" : "[\(address)]:\(port)"
        }
        let services = """
            \(family) daddr \(services)1 tcp dport 80 dnat to \(pods.b)
            \(family) daddr \(services)2 tcp dport 80 dnat to \(place(pods.b, 8080))
            \(family) daddr \(services)2 udp dport 53 dnat to \(place(pods.b, 5353))
            \(family) daddr \(services)2 sctp dport 9 dnat to \(place(pods.b, 99))
            \(family) daddr \(services)3 tcp dport 80 dnat to \(place(pods.a, 8080))
            \(family) daddr \(services)4 tcp dport 80 dnat to \(place(out, 8080))
            """
        return """
            table \(family) nat {
                chain services {
                    \(services)
                }
                chain prerouting { type nat hook prerouting priority dstnat; jump services
                }
                chain output { type nat hook output priority -100; jump services
                }
                chain postrouting { type nat hook postrouting priority srcnat
                    \(family) saddr \(pods.a) \(family) daddr \(pods.a) masquerade
                    oifname up0 tcp dport 7001 masquerade to :20000-20010
                    oifname up0 udp dport 7001 masquerade to :20000-20010
                    oifname up0 \(family) saddr != \(out) masquerade
                }
            }
            """
    }

    /// Returns the connections that the tool conntrack(8) lists.
    func listed(_ family: String = "ipv4") throws -> [TrackedConnection] {
        let text = try network.node.command(["conntrack", "-L", "-f", family, "-o", "extended"])
        return text.split(separator: "\n").compactMap { Self.connection(String($0)) }
    }

    /// Held connections as the tool lists them, in the same order.
    ///
    /// A client's port alone does not identify a connection: one that another test closed may still be listed with it. A
    /// listing may pass over a connection while others of its bucket are removed, so it is repeated.
    func listed(_ held: [HeldConnection]) throws -> [TrackedConnection] {
        var found: [TrackedConnection?] = []
        _ = try eventually {
            let listed = try listed() + listed("ipv6")
            found = held.map { held in listed.first { held.isClient(of: $0.original) } }
            return !found.contains(nil)
        }
        return try found.map { try #require($0) }
    }

    /// A held connection as the tool lists it.
    func listed(_ held: HeldConnection) throws -> TrackedConnection {
        try listed([held])[0]
    }

    /// Reads a line such as `ipv4 2 tcp 6 119 TIME_WAIT src=… dst=… sport=… dport=… src=… dst=… sport=… dport=… …`.
    private static func connection(_ line: String) -> TrackedConnection? {
        let words = line.split(separator: " ")
        guard words.count > 4, let proto = UInt8(words[3]) else { return nil }
        var values: [String: [String]] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0]), default: []].append(String(parts[1])) }
        }
        func tuple(_ way: Int) -> TrackedConnection.Tuple? {
            func value(_ name: String) -> String? {
                values[name].flatMap { $0.indices.contains(way) ? $0[way] : nil }
            }
            func number(_ name: String) -> UInt16? { value(name).flatMap { UInt16($0) } }
            let type = number("type").flatMap { type in number("code").map { type << 8 | $0 } }
            guard let source = value("src").flatMap({ IPAddress($0) }),
                let destination = value("dst").flatMap({ IPAddress($0) }),
                let sourcePort = number("sport") ?? number("id"), let destinationPort = number("dport") ?? type
            else { return nil }
            return TrackedConnection.Tuple(
                source: source,
                destination: destination,
                sourcePort: sourcePort,
                destinationPort: destinationPort,
                proto: IPProtocol(rawValue: proto)
            )
        }
        guard let original = tuple(0), let reply = tuple(1) else { return nil }
        return TrackedConnection(original: original, reply: reply)
    }
}

extension HeldConnection {
    /// Whether its client's first packet has this tuple.
    fileprivate func isClient(of tuple: TrackedConnection.Tuple) -> Bool {
        tuple.proto == (kind == .tcp ? .tcp : .udp) && tuple.sourcePort == clientPort
            && tuple.destinationPort == called.port && tuple.destination == IPAddress("\(called.address)")
    }
}

/// A path through the node, and its translation of the addresses.
private struct Passage: Sendable, CustomTestStringConvertible {
    enum Place: Sendable {
        case node
        case podA
        case podB
        case outside
    }

    var testDescription: String
    var kind: HeldConnection.Kind = .tcp
    var from: Place = .podA
    /// The last number of a service's address; nil to call the backend itself.
    var service: Int?
    var port: UInt16 = 80
    var to: Place = .podB
    var answeringPort: UInt16 = 80
    var isDestinationTranslated = false
    /// Ports that the client's may have become; nil if its address stays.
    var masqueraded: ClosedRange<UInt16>?
    /// Whether the client's port stays though its address does not.
    var keepsPort = false

    static let all = [
        Passage(testDescription: "pod to pod"),
        Passage(testDescription: "pod to service", service: 1, isDestinationTranslated: true),
        Passage(
            testDescription: "pod to service on another port",
            service: 2,
            answeringPort: 8080,
            isDestinationTranslated: true
        ),
        Passage(
            testDescription: "UDP to service on another port",
            kind: .udp,
            service: 2,
            port: 53,
            answeringPort: 5353,
            isDestinationTranslated: true
        ),
        Passage(
            testDescription: "node to service",
            from: .node,
            service: 2,
            answeringPort: 8080,
            isDestinationTranslated: true
        ),
        Passage(
            testDescription: "hairpin: pod to itself by a service",
            service: 3,
            to: .podA,
            answeringPort: 8080,
            isDestinationTranslated: true,
            masqueraded: 1024...65535
        ),
        Passage(testDescription: "masquerade", to: .outside, masqueraded: 1024...65535, keepsPort: true),
        Passage(
            testDescription: "masquerade with another port",
            port: 7001,
            to: .outside,
            answeringPort: 7001,
            masqueraded: 20_000...20_010
        ),
        Passage(
            testDescription: "UDP masquerade with another port",
            kind: .udp,
            port: 7001,
            to: .outside,
            answeringPort: 7001,
            masqueraded: 20_000...20_010
        ),
        Passage(
            testDescription: "service outside: both",
            service: 4,
            to: .outside,
            answeringPort: 8080,
            isDestinationTranslated: true,
            masqueraded: 1024...65535
        ),
    ]
}

extension KernelTests {
    @Suite("Conntrack")
    struct ConntrackTests {
        private let node: TranslatingNode

        init() throws {
            node = try TranslatingNode.shared.get()
        }

        private func namespace(_ place: Passage.Place) -> NetworkNamespace {
            switch place {
            case .node: node.network.node
            case .podA: node.network.pods[0].namespace
            case .podB: node.network.pods[1].namespace
            case .outside: node.outside
            }
        }

        private func address(_ place: Passage.Place, _ isIPv6: Bool) throws -> LabAddress {
            switch place {
            case .node: isIPv6 ? node.network.nodeIPv6 : node.network.nodeIPv4
            case .podA: isIPv6 ? node.network.pods[0].ipv6 : node.network.pods[0].ipv4
            case .podB: isIPv6 ? node.network.pods[1].ipv6 : node.network.pods[1].ipv4
            case .outside: try LabAddress(isIPv6 ? "2001:db8::2" : "192.0.2.2")
            }
        }

        private func open(_ passage: Passage, _ isIPv6: Bool) throws -> HeldConnection {
            let answering = HeldConnection.Place(try address(passage.to, isIPv6), passage.answeringPort)
            var called = HeldConnection.Place(answering.address, passage.port)
            if let service = passage.service {
                called.address = try LabAddress(isIPv6 ? "fd96::\(service)" : "10.96.0.\(service)")
            }
            return try HeldConnection(
                passage.kind,
                from: namespace(passage.from),
                to: called,
                answeredIn: namespace(passage.to),
                at: answering
            )
        }

        /// Looks up the packets of both ends, before and after translation, and returns their connections.
        private func answers(for connection: TrackedConnection) -> [TrackedConnection?] {
            [
                connection.original, connection.reply.inverted, connection.reply, connection.original.inverted,
            ].map(node.tracker.connection)
        }

        @Test(arguments: Passage.all, [false, true])
        private func findsConnectionFromPacketsOfBothEnds(_ passage: Passage, _ isIPv6: Bool) throws {
            let held = try open(passage, isIPv6)
            let connection = try node.listed(held)
            #expect(answers(for: connection) == [connection, connection, connection, connection])
            #expect(connection.isDestinationTranslated == passage.isDestinationTranslated)
            #expect(connection.reply.source == IPAddress("\(try address(passage.to, isIPv6))"))
            #expect(connection.reply.sourcePort == passage.answeringPort)
            if let ports = passage.masqueraded {
                let port = try #require(connection.translatedSourcePort)
                #expect(ports.contains(port))
                #expect(!passage.keepsPort || port == held.clientPort)
            } else {
                #expect(connection.translatedSourcePort == nil)
            }
            held.close()
        }

        /// The kernel keeps a closed connection for two minutes (nf_conntrack_tcp_timeout_time_wait).
        @Test func findsClosedConnections() throws {
            let held = try open(Passage.all[2], false)
            let port = held.clientPort
            held.close()
            let isClosed = try eventually {
                let line = try namespace(.node).command([
                    "conntrack", "-L", "-p", "tcp", "--orig-port-src", "\(port)", "--state", "TIME_WAIT",
                ])
                return line.contains("sport=\(port)")
            }
            try #require(isClosed)
            let connection = try node.listed(held)
            #expect(answers(for: connection) == [connection, connection, connection, connection])
        }

        @Test(arguments: [false, true])
        func findsMasqueradedEchoes(_ isIPv6: Bool) throws {
            let identifier: UInt16 = isIPv6 ? 4243 : 4242
            let path = TrafficPath(from: namespace(.podA), to: node.outside, at: try address(.outside, isIPv6))
            #expect(try path.ping(count: 1, identifier: identifier).clientReceived.messages == 1)
            let connection = try #require(
                try node.listed(isIPv6 ? "ipv6" : "ipv4").first { $0.original.sourcePort == identifier }
            )
            #expect(connection.reply.destination == IPAddress(isIPv6 ? "2001:db8::1" : "192.0.2.1"))
            #expect(answers(for: connection) == [connection, connection, connection, connection])
            // Flows have the replies under the type of the query.
            for var packets in [connection.reply, connection.original.inverted] {
                packets.destinationPort = connection.original.destinationPort
                #expect(node.tracker.connection(of: packets) == connection)
            }
        }

        @Test func findsSCTPAssociations() throws {
            let pod = node.network.pods[0]
            // An INIT: ports, verification tag 0, checksum; type, flags, length; tag, window, streams, number.
            let chunk: [UInt8] = [
                0x9c, 0x40, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20,
                0, 0, 0, 1, 0, 0, 16, 0, 0, 1, 0, 1, 0, 0, 0, 1,
            ]
            let packet = Packet.ip(from: pod.ipv4, to: try LabAddress("10.96.0.2"), proto: 132, payload: chunk)
            let frame = Packet.ethernet(
                destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee],
                source: [2, 0x77, 0, 0, 0, 2],
                payload: packet
            )
            try FrameSender("eth0", in: pod.namespace).send([frame])
            var connection: TrackedConnection?
            _ = try eventually {
                connection = try node.listed().first { $0.original.proto == .sctp }
                return connection != nil
            }
            let found = try #require(connection)
            #expect((found.original.sourcePort, found.original.destinationPort) == (40_000, 9))
            #expect(found.reply.sourcePort == 99)
            #expect(answers(for: found) == [found, found, found, found])
        }

        @Test func unknownConnectionsCauseNoTimeout() throws {
            let failures = node.tracker.statistics.failures
            let time = ContinuousClock().measure {
                for number in 0..<1000 {
                    let tuple = TrackedConnection.Tuple(
                        source: IPAddress(10, 99, 0, 1),
                        destination: IPAddress(10, 99, 0, 2),
                        sourcePort: UInt16(number),
                        destinationPort: 1 + UInt16(number & 1) << 11,
                        proto: [.tcp, .udp, .icmp, .sctp][number & 3]
                    )
                    #expect(node.tracker.connection(of: tuple) == nil)
                }
            }
            // A lookup that times out takes a tenth of a second.
            #expect(time < .seconds(20))
            #expect(node.tracker.statistics.failures == failures)
        }

        /// More packets than one system call takes, some of them unknown and some not tracked.
        @Test(arguments: [false, true])
        func looksUpManyConnectionsAtOnce(usesProgram: Bool) throws {
            let tracker = usesProgram ? node.tracker : node.messages
            #expect(tracker.usesProgram == usesProgram, "Linux 5.18 has what the program needs")
            let held = try (0..<6).map { try open(Passage.all[$0], false) }
            let known = try node.listed(held)
            let before = tracker.statistics
            var packets: [TrackedConnection.Tuple] = []
            var expected: [TrackedConnection?] = []
            for number in 0..<1000 {
                let connection = known[number % known.count]
                switch number % 5 {
                case 0: packets.append(connection.original)
                case 1, 2: packets.append(connection.reply)
                case 3:
                    packets.append(connection.original)
                    packets[number].sourcePort = 1
                default:
                    packets.append(connection.original)
                    packets[number].proto = IPProtocol(rawValue: 50)
                }
                expected.append(number % 5 < 3 ? connection : nil)
            }
            #expect(try node.connections(packets, usesProgram: usesProgram) == expected)
            #expect(tracker.connections(of: []) == [])
            let after = tracker.statistics
            #expect(after.queries - before.queries == 800)
            #expect(after.found - before.found == 600)
            #expect(after.failures == before.failures && after.skipped == before.skipped)
            for held in held { held.close() }
        }

        /// The program and the messages return the same connections for the same packets, real and invented ones.
        @Test func programAndMessagesFindSameConnections() throws {
            var held: [HeldConnection] = []
            for passage in Passage.all {
                for isIPv6 in [false, true] { held.append(try open(passage, isIPv6)) }
            }
            let listed = try node.listed(held)
            var packets: [TrackedConnection.Tuple] = []
            for connection in listed {
                for tuple in [connection.original, connection.reply] {
                    packets += [tuple, tuple.inverted]
                    for proto in [.tcp, .udp, .sctp, .icmp] as [IPProtocol] {
                        var other = tuple
                        other.proto = proto
                        packets.append(other)
                    }
                    var other = tuple
                    other.source = connection.reply.destination
                    packets.append(other)
                    other.destinationPort ^= 1
                    packets.append(other)
                }
            }
            // An IPv6 address that is a mapped IPv4 address is another one.
            var mapped = listed[0].original
            for path in [\TrackedConnection.Tuple.source, \.destination] {
                let word = mapped[keyPath: path].word1
                mapped[keyPath: path] = IPAddress(ipv6Word0: 0, word1: word)
            }
            packets.append(mapped)
            // More than one system call takes, in another order.
            packets = (packets + packets + packets).shuffled()
            #expect(packets.count > 512)
            let answers = try node.connections(packets, usesProgram: true)
            #expect(try node.connections(packets, usesProgram: false) == answers)
            #expect(Set(answers.compactMap(\.self)).isSuperset(of: listed))
            // A lookup from another namespace uses messages.
            #expect(node.tracker.connections(of: packets) == answers)
            for held in held { held.close() }
        }

        @Test(arguments: [false, true])
        func skipsLookupsAfterDeadline(usesProgram: Bool) throws {
            let tracker = usesProgram ? node.tracker : node.messages
            let atOnce = usesProgram ? 256 : 128
            let held = try open(Passage.all[0], false)
            let connection = try node.listed(held)
            let before = tracker.statistics
            let packets = Array(repeating: connection.original, count: 700)
            let answers = try node.network.node.run { tracker.connections(of: packets, until: .now - .seconds(1)) }
            #expect(answers.count { $0 == connection } == atOnce)
            #expect(tracker.statistics.queries - before.queries == UInt64(atOnce))
            #expect(tracker.statistics.skipped - before.skipped == UInt64(700 - atOnce))
            held.close()
        }

        /// The tracker uses the namespace in which it was created, whichever thread calls it.
        @Test func findsConnectionsOfOwnNamespaceOnly() throws {
            let held = try open(Passage.all[0], false)
            let connection = try node.listed(held)
            let other = try NetworkNamespace().run { try Conntrack() }
            #expect(other.connection(of: connection.original) == nil)
            let inOther = try NetworkNamespace().run { node.tracker.connection(of: connection.original) }
            #expect(inOther == connection)
            held.close()
        }

        @Test func concurrentLookupsFindTheirConnections() throws {
            let held = try (0..<4).map { try open(Passage.all[$0], false) }
            let listed = try node.listed(held)
            let tracker = node.tracker
            let before = tracker.statistics
            let work = try listed.map { connection in
                try BackgroundWork {
                    (0..<2000).filter { _ in tracker.connection(of: connection.original) == connection }.count
                }
            }
            for work in work { #expect(try work.value() == 2000) }
            #expect(tracker.statistics.queries - before.queries == 8000)
            #expect(tracker.statistics.found - before.found == 8000)
            for held in held { held.close() }
        }
    }
}
