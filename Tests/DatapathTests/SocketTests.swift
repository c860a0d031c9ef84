import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Compares socket statistics of flows with those of ss(8) and iperf3 for the same sockets.
    @Suite("Sockets")
    struct SocketTests {
        private func expect(_ statistics: TCPStatistics?, is listed: ListedSocket) throws {
            let statistics = try #require(statistics)
            #expect(statistics.window.mean == listed.window.map { UInt64($0) })
            #expect(statistics.window.smallest == listed.window)
            #expect(statistics.mss.smallest == listed.mss)
            #expect(statistics.rtt.largest == listed.rtt)
            #expect(statistics.rtt.mean == listed.rtt.map { UInt64($0) })
            #expect(statistics.minRTT.largest == listed.minRTT)
            #expect(statistics.retransmissions == 0 && statistics.lost == 0 && statistics.timeouts == 0)
        }

        @Test(arguments: [false, true])
        func statisticsMatchSS(ipv6: Bool) throws {
            let node = try SocketNode()
            let monitor = try node.monitor()
            #expect(monitor.notices.allSatisfy { if case .socketsUnavailable = $0 { false } else { true } })
            let connection = try node.connection(ipv6: ipv6, port: 7001)
            try monitor.scan()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let client = try monitor.sockets(on: a.interface, port: connection.clientPort)
            try expect(client?.near, is: ListedSocket(in: a.namespace, localPort: connection.clientPort))
            let server = try monitor.sockets(on: b.interface, port: connection.clientPort)
            try expect(server?.near, is: ListedSocket(in: b.namespace, localPort: 7001))
            // The other end has no socket on this interface.
            #expect(client?.far == nil && server?.far == nil)
            // Unchanged statistics are not added twice.
            try monitor.scan()
            #expect(try monitor.sockets(on: a.interface, port: connection.clientPort)?.near?.window.count == 1)
            connection.close()
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// A socket of the node itself is the far end at its uplink; its connections to pods have only the pods' statistics.
        @Test func nodeSocketIsFarEndAtUplink() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.tcp, .process])
            let place = try HeldConnection.Place(LabAddress("192.0.2.2"), 7002)
            let out = try HeldConnection(
                .tcp,
                from: node.lab.node,
                to: place,
                answeredIn: node.outside,
                at: place
            )
            let b = try node.lab.pod("b")
            let inside = HeldConnection.Place(b.ipv4, 7003)
            let call = try HeldConnection(
                .tcp,
                from: node.lab.node,
                to: inside,
                answeredIn: b.namespace,
                at: inside
            )
            try monitor.scan()
            let uplink = try monitor.sockets(on: "up0", port: out.clientPort)
            try expect(uplink?.far, is: ListedSocket(in: node.lab.node, localPort: out.clientPort))
            #expect(uplink?.near == nil)
            let owners = try monitor.processes(on: "up0", port: out.clientPort)
            #expect(owners?.far?.count == 1 && owners?.near == nil, "\(String(describing: owners))")
            let pod = try monitor.sockets(on: b.interface, port: call.clientPort)
            try expect(pod?.near, is: ListedSocket(in: b.namespace, localPort: 7003))
            #expect(pod?.far == nil)
            out.close()
            call.close()
            try monitor.stop()
        }

        @Test func readsSocketsOpenedBeforeStart() throws {
            let node = try SocketNode()
            let connection = try node.connection(port: 7004)
            let monitor = try node.monitor()
            try monitor.scan()
            #expect(monitor.sockets.isEmpty)
            connection.close()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let isRead = try eventually {
                try monitor.scan()
                let client = try monitor.sockets(on: a.interface, port: connection.clientPort)
                let server = try monitor.sockets(on: b.interface, port: connection.clientPort)
                return client?.near?.window.count ?? 0 > 0 && server?.near?.window.count ?? 0 > 0
            }
            #expect(isRead, "\(monitor.sockets)")
            try monitor.stop()
        }

        /// The retransmissions of iperf3's data connection, as the kernel counts them in the sender's namespace.
        ///
        /// iperf3's number may be lower, because iperf3 reads it before the last data is acknowledged.
        @Test func retransmissionsMatchIperf() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try node.lab.node.nft(
                """
                table ip weirloss {
                    chain forward {
                        type filter hook forward priority 0
                        tcp sport 40001 ip length > 500 numgen random mod 100 < 4 drop
                    }
                }
                """
            )
            let monitor = try node.monitor(collects: [.tcp, .process])
            _ = try b.namespace.command(["iperf3", "-s", "-1", "-D", "-p", "5201"])
            try #require(try eventually { try b.namespace.command(["ss", "-Hltn"]).contains(":5201 ") })
            let text = try a.namespace.command(
                ["iperf3", "-J", "-c", b.ipv4.description, "-p", "5201", "--cport", "40001", "-n", "20M"]
            )
            let sum = try #require(text.firstRange(of: "\"sum_sent\""))
            let count = try #require(text[sum.upperBound...].firstRange(of: "\"retransmits\":"))
            let digits = text[count.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }
            let expected = try #require(UInt64(digits))
            // One of 25 packets is lost.
            #expect(expected > 0)
            let isReported = try eventually {
                try monitor.scan()
                let reported = try monitor.sockets(on: a.interface, port: 40001)?.near?.retransmissions ?? 0
                return try reported >= expected && reported == a.namespace.retransmissions()
            }
            let client = try monitor.sockets(on: a.interface, port: 40001)
            #expect(isReported, "\(String(describing: client)), iperf3: \(expected)")
            #expect(client?.near?.lost ?? 0 > 0)
            for interface in [a.interface, b.interface] {
                #expect(try monitor.processes(on: interface, port: 40001)?.near?.name?.text == "iperf3")
            }
            // The receiver retransmitted nothing.
            #expect(try monitor.sockets(on: b.interface, port: 40001)?.near?.retransmissions == 0)
            try monitor.stop()
        }

        /// Interrupts a path twice: each expiry of the timer counts once, even after the connection has recovered.
        @Test func timeoutsMatchSS() throws {
            let node = try SocketNode()
            let monitor = try node.monitor()
            let connection = try node.connection(port: 7005)
            let (a, port) = try (node.lab.pod("a"), connection.clientPort)
            try node.lab.node.nft(
                "table ip weirloss { chain forward { type filter hook forward priority 0; }; }"
            )
            var counted: UInt64 = 0
            for expected in [3, 2] as [UInt64] {
                try node.lab.node.nft("add rule ip weirloss forward tcp sport \(port) drop")
                try connection.send(1000)
                var seen = ""
                let isTold = try eventually {
                    let before = try ListedSocket(in: a.namespace, localPort: port)
                    try monitor.scan()
                    let after = try ListedSocket(in: a.namespace, localPort: port)
                    let said = try monitor.sockets(on: a.interface, port: port)?.near
                    let timeouts = (said?.timeouts ?? 0) - counted
                    seen =
                        "\(timeouts) of \(after.backoff) timeouts, \(said?.retransmissions ?? 0) of \(after.retransmissions)"
                    guard before.backoff == after.backoff, after.backoff >= expected else { return false }
                    return timeouts == after.backoff && said?.retransmissions == after.retransmissions
                }
                #expect(isTold, "\(seen)")
                try node.lab.node.nft("flush chain ip weirloss forward")
                #expect(try eventually { try ListedSocket(in: a.namespace, localPort: port).backoff == 0 })
                try monitor.scan()
                counted = try monitor.sockets(on: a.interface, port: port)?.near?.timeouts ?? 0
            }
            // The receiver had no timeouts.
            let b = try node.lab.pod("b")
            let server = try monitor.sockets(on: b.interface, port: port)?.near
            #expect(server?.timeouts == 0 && server?.retransmissions == 0)
            connection.close()
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// The client's socket has the service's address, and so have its packets at the client's interface.
        @Test func readsBothEndsOfTranslatedConnection() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try node.lab.node.nft(
                """
                table ip weirservice {
                    chain prerouting {
                        type nat hook prerouting priority -100
                        ip daddr 10.96.0.1 tcp dport 80 dnat to \(b.ipv4):7007
                    }
                }
                """
            )
            let monitor = try node.monitor()
            let service = try HeldConnection.Place(LabAddress("10.96.0.1"), 80)
            let place = HeldConnection.Place(b.ipv4, 7007)
            let connection = try HeldConnection(
                .tcp,
                from: a.namespace,
                to: service,
                answeredIn: b.namespace,
                at: place
            )
            try monitor.scan()
            let client = try monitor.sockets(on: a.interface, port: connection.clientPort)
            try expect(client?.near, is: ListedSocket(in: a.namespace, localPort: connection.clientPort))
            let server = try monitor.sockets(on: b.interface, port: 7007)
            try expect(server?.near, is: ListedSocket(in: b.namespace, localPort: 7007))
            connection.close()
            try monitor.stop()
        }

        /// A connect() that is refused, after a SYN that was lost, resets the socket before it returns.
        @Test func reportsFailedConnects() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try b.namespace.nft(
                """
                table ip weirloss {
                    chain incoming {
                        type filter hook input priority 0
                        tcp dport 7030 limit rate 1/day burst 1 packets drop
                    }
                }
                """
            )
            let monitor = try node.monitor(collects: [.tcp, .process])
            try a.namespace.command(["bash", "-c", "! exec 3<>/dev/tcp/\(b.ipv4)/7030"])
            let isRead = try eventually {
                try monitor.scan()
                return try monitor.processes(on: a.interface, port: 7030)?.near != nil
            }
            #expect(isRead)
            #expect(try monitor.processes(on: a.interface, port: 7030)?.near?.name?.text == "bash")
            let statistics = try monitor.sockets(on: a.interface, port: 7030)?.near
            #expect(statistics?.retransmissions == 1 && statistics?.timeouts == 1 && statistics?.window.count == 0)
            try monitor.stop()
        }

        @Test func readsShortLivedConnections() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.tcp, .process])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            _ = try TrafficPath(from: a.namespace, to: b.namespace, at: b.ipv4)
                .tcp(connections: 2000, request: 100, response: 100)
            let index = try node.lab.node.run { (if_nametoindex(a.interface), if_nametoindex(b.interface)) }
            func read(_ index: UInt32) -> Int {
                monitor.sockets.count { $0.key.interfaceIndex == index && $0.value.near?.mss.count ?? 0 > 0 }
            }
            func owned(_ index: UInt32) -> Int {
                monitor.processes.count { $0.key.interfaceIndex == index && $0.value.near?.count == 1 }
            }
            let areRead = try eventually {
                try monitor.scan()
                return read(index.0) == 2000 && read(index.1) == 2000
            }
            #expect(areRead, "\(read(index.0)) clients, \(read(index.1)) servers")
            #expect(owned(index.0) == 2000 && owned(index.1) == 2000, "\(owned(index.0)), \(owned(index.1))")
            #expect(try monitor.perform { $0.losses.missedSockets } == 0)
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        /// The names of the maps that this process holds open.
        private func maps() throws -> Set<String> {
            let descriptors = try #require(opendir("/proc/self/fd"))
            defer { closedir(descriptors) }
            var names: Set<String> = []
            while let entry = readdir(descriptors) {
                let number = withUnsafePointer(to: &entry.pointee.d_name.0) { Int32(String(cString: $0)) }
                var info = bpf_map_info()
                var size = UInt32(MemoryLayout<bpf_map_info>.size)
                guard let number, isMap(number), bpf_obj_get_info_by_fd(number, &info, &size) == 0 else { continue }
                names.insert(withUnsafePointer(to: &info.name.0) { String(cString: $0) })
            }
            return names
        }

        private func isMap(_ number: Int32) -> Bool {
            var target = [CChar](repeating: 0, count: 64)
            guard readlink("/proc/self/fd/\(number)", &target, target.count - 1) > 0 else { return false }
            return String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                == "anon_inode:bpf-map"
        }

        @Test func createsNoSocketMapsUnlessCollected() throws {
            let node = try SocketNode()
            let asked = try node.monitor()
            #expect(try maps().contains("socket_reports"))
            #expect(try asked.perform { $0.readsSockets && $0.socketDescriptor >= 0 })
            try asked.stop()
            let monitor = try node.monitor(collects: [])
            let connection = try node.connection(port: 7006)
            try monitor.scan()
            #expect(try monitor.perform { $0.readsSockets } == false)
            #expect(try monitor.perform { $0.socketDescriptor } == -1)
            #expect(monitor.sockets.isEmpty)
            #expect(try maps().isDisjoint(with: ["sockets", "socket_owners", "socket_reports", "socket_losses"]))
            connection.close()
            try monitor.stop()
        }
    }
}

extension NetworkNamespace {
    /// The segments that sockets of this namespace have retransmitted (`RetransSegs` of RFC 4022).
    func retransmissions() throws -> UInt64 {
        let lines = try command(["cat", "/proc/net/snmp"]).split(separator: "\n").filter { $0.hasPrefix("Tcp:") }
        try #require(lines.count == 2)
        let column = try #require(lines[0].split(separator: " ").firstIndex(of: "RetransSegs"))
        return try #require(UInt64(lines[1].split(separator: " ")[column]))
    }
}
