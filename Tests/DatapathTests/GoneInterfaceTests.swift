import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// What is read of a pod that ends, with its interface, before a scan has found its connections.
    @Suite("Interfaces that are gone")
    struct GoneInterfaceTests {
        private static let query: [UInt8] = Array("at least twelve bytes".utf8)

        /// What a scan finds before the interface is removed.
        enum Known: CaseIterable {
            /// Nothing.
            case nothing
            /// The first packet of the connection, which a rule holds up.
            case opening
        }

        @Test(arguments: [false, true], Known.allCases)
        func shortLifeIsReadInFull(ipv6: Bool, known: Known) throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.tcp, .process, .handshake])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let index = try node.lab.node.run { if_nametoindex(a.interface) }
            let port: UInt16 = ipv6 ? 7301 : 7300
            let place = HeldConnection.Place(ipv6 ? b.ipv6 : b.ipv4, port)
            if known == .opening { _ = try b.namespace.nft(Self.closed) }
            let work = try BackgroundWork {
                let connection = try HeldConnection(
                    .tcp,
                    from: a.namespace,
                    to: place,
                    answeredIn: b.namespace,
                    at: place
                )
                try connection.send(100)
                connection.close()
                return connection.clientPort
            }
            if known == .opening {
                #expect(
                    try eventually {
                        try monitor.scan()
                        return monitor.flows.keys.contains { $0.interfaceIndex == index && $0.farPort == port }
                    }
                )
                _ = try b.namespace.nft("delete table inet closed")
            }
            let clientPort = try work.value()
            let exchange = try UDPExchange(
                from: (a.namespace, ipv6 ? a.ipv6 : a.ipv4),
                to: (b.namespace, ipv6 ? b.ipv6 : b.ipv4),
                Self.query,
                Self.query
            )
            _ = try node.lab.node.ip("link del \(a.interface)")
            #expect(
                try eventually {
                    try monitor.follow()
                    return monitor.detached.contains(a.interface)
                }
            )
            func key(_ port: UInt16) throws -> FlowKey {
                try #require(monitor.flows.keys.first { $0.interfaceIndex == index && $0.nearPort == port })
            }
            let (tcp, udp) = try (key(clientPort), key(exchange.clientPort))
            #expect(monitor.processes[tcp]?.near?.count == 1)
            #expect(monitor.sockets[tcp]?.near?.window.count ?? 0 > 0)
            #expect(monitor.handshakes[tcp]?.near?.connect.count == 1)
            #expect(monitor.processes[udp]?.near?.count == 1)
            #expect(monitor.living.values.allSatisfy { $0.interfaceIndex != index })
            #expect(monitor.goneInterfaces == [index])
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty && monitor.goneInterfaces == [index])
            #expect(monitor.accounts.allSatisfy { $0.isBalanced })
        }

        /// A rule that drops what arrives at the listener.
        private static let closed = """
            table inet closed {
                chain input {
                    type filter hook input priority 0;
                    tcp dport { 7300, 7301 } drop
                }
            }
            """
    }
}
