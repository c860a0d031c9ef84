import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Sockets that the programs find late, or whose end they find late.
    @Suite("Older and missed sockets")
    struct OlderSocketTests {
        /// Starts a server in pod b that takes one connection.
        ///
        /// - Parameters:
        ///   - node: the network.
        ///   - port: the server's port.
        ///   - before: Python statements that run before it listens.
        ///   - proto: the protocol of its socket.
        /// - Throws: an error if it does not listen within a minute.
        private func serve(on node: SocketNode, port: UInt16, after before: String = "", proto: Int = 0) throws {
            let b = try node.lab.pod("b")
            let server = """
                import os, resource, socket
                \(before)
                server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, \(proto))
                server.settimeout(60)
                server.bind(("\(b.ipv4)", \(port)))
                server.listen()
                peer = server.accept()[0]
                while peer.recv(10): pass
                """
            _ = try b.namespace.command(["bash", "-c", "python3 -c \"$1\" < /dev/null &> /dev/null &", "-", server])
            let listens = try eventually {
                try b.namespace.command(["ss", "-Hltn"]).contains(":\(port) ")
            }
            try #require(listens)
        }

        private func expectOwner(of port: UInt16, on node: SocketNode) throws {
            let monitor = try node.monitor(collects: [.tcp, .process])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            _ = try a.namespace.command(["bash", "-c", "echo > /dev/tcp/\(b.ipv4)/\(port)"])
            let isKnown = try eventually {
                try monitor.scan()
                return try monitor.processes(on: b.interface, port: port)?.near?.name?.text.hasPrefix("python3") == true
            }
            #expect(isKnown)
            let older = monitor.notices.contains { if case .olderSocketsUnavailable = $0 { true } else { false } }
            #expect(!older || DatapathSurvey.hiddenProcesses != nil)
            try monitor.stop()
        }

        /// The kernel passes a million files in one call.
        @Test func findsListenerBehindMillionFiles() throws {
            let node = try SocketNode()
            // Processes share few open files, and end when the server has ended.
            let files = """
                limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
                null = os.open("/dev/null", 0)
                for _ in range(limit - 100): os.dup(null)
                reading, writing = os.pipe()
                for _ in range(1_000_000 // (limit - 100) + 1):
                    if os.fork() == 0:
                        os.close(writing)
                        os.read(reading, 1)
                        os._exit(0)
                server = os.fork()
                if server:
                    os.waitpid(server, 0)
                    os._exit(0)
                """
            try serve(on: node, port: 7051, after: files)
            try expectOwner(of: 7051, on: node)
        }

        /// No file has the TCP socket of a listener of MPTCP, which also accepts connections of TCP.
        @Test func findsOwnerOfMultipathListener() throws {
            let node = try SocketNode()
            try serve(on: node, port: 7052, proto: Int(IPPROTO_MPTCP))
            try expectOwner(of: 7052, on: node)
        }

        /// The kernel skips a program at a tracepoint that runs on the same CPU already.
        @Test(arguments: ["", "weir_socket_state"]) func reportsEndOnceWithout(program: String) throws {
            let node = try SocketNode()
            let (first, second) = try (node.connection(port: 7053), node.connection(port: 7056))
            let reader = try node.lab.node.run {
                try SocketReader(attaching: SocketReader.tracepoints.filter { $0 != program })
            }
            var samples: [UInt16: [UInt16]] = [:]
            for connection in [first, second] {
                try connection.send(1000)
                connection.close()
                let isReported = eventually {
                    reader.drain { report in
                        samples[report.of.local_port.byteSwapped, default: []].append(report.gauges.samples.0)
                    }
                    return samples[connection.clientPort] != nil
                }
                #expect(isReported)
            }
            #expect(samples[first.clientPort] == [1])
            #expect(reader.missed == 0)
        }

        private static let drops = """
            table ip weirloss {
                chain forward {
                    type filter hook forward priority 0
                    tcp dport 7054 drop
                }
            }
            """

        /// A connection found no room in the table of sockets, and its route is dead when it ends.
        @Test func reportsUnkeptConnectionWithDeadRoute() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.tcp, .process])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try serve(on: node, port: 7054)
            try monitor.addKept(UInt32(WEIR_MAX_SOCKETS) / 4, of: a.interface)
            let client = """
                import socket, time
                client = socket.create_connection(("\(b.ipv4)", 7054))
                client.setsockopt(socket.IPPROTO_TCP, 18, 2000)
                while True:
                    client.send(b"x")
                    time.sleep(0.1)
                """
            _ = try a.namespace.command(["bash", "-c", "python3 -c \"$1\" < /dev/null &> /dev/null &", "-", client])
            let isConnected = try eventually {
                try a.namespace.command(["ss", "-Htn", "dport = :7054"]).contains("ESTAB")
            }
            try #require(isConnected)
            try node.lab.node.nft(Self.drops)
            try #require(try eventually { try a.namespace.retransmissions() > 0 })
            try a.namespace.ip("link set eth0 down")
            let hasEnded = try eventually {
                try a.namespace.command(["ss", "-Htan", "dport = :7054"]).isEmpty
            }
            #expect(hasEnded)
            let wanted = try a.namespace.retransmissions()
            let isReported = try eventually {
                try monitor.scan()
                return try monitor.sockets(on: a.interface, port: 7054)?.near?.retransmissions == wanted
            }
            #expect(isReported)
            #expect(try monitor.processes(on: a.interface, port: 7054)?.near != nil)
            try monitor.stop()
        }
    }
}
