import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// When sockets are entered, sampled and reported, and how interfaces share the room for them.
    @Suite("Life of sockets")
    struct SocketLifeTests {
        enum Ending: CaseIterable {
            case reset, dissolved
        }

        /// A connection reports when it ends, even if its program keeps the socket.
        @Test(arguments: Ending.allCases)
        func connectionReportsAtItsEnd(ending: Ending) throws {
            let node = try SocketNode()
            let reader = try node.lab.node.run { try SocketReader() }
            let connection = try node.connection(port: 7040)
            defer { connection.close() }
            try connection.send(1000)
            switch ending {
            case .reset: try connection.reset()
            case .dissolved: try connection.dissolve()
            }
            var last: weir_socket_report?
            // No pass runs: only the end of the connection reports.
            let isReported = eventually {
                reader.drain { report in
                    if report.of.local_port == connection.clientPort.bigEndian { last = report }
                }
                return last != nil
            }
            #expect(isReported)
            #expect(last?.gauges.samples.0 == 1)
            #expect(last.map { reader.isOwn($0.of.owner) } == true)
        }

        /// A socket that connects again after its connection was dissolved reports for the later one only.
        @Test func dissolvedSocketConnectsAgain() throws {
            let node = try SocketNode()
            let monitor = try node.monitor()
            let connection = try node.connection(port: 7041)
            defer { connection.close() }
            let a = try node.lab.pod("a")
            try connection.send(1000)
            try connection.dissolve()
            #expect(
                try eventually {
                    try monitor.scan()
                    return try monitor.sockets(on: a.interface, port: connection.clientPort)?.near != nil
                }
            )
            let first = try monitor.sockets(on: a.interface, port: connection.clientPort)?.near
            #expect(first?.window.count == 1)
            let later = try node.connection(port: 7042)
            defer { later.close() }
            try later.send(1000)
            try monitor.scan()
            #expect(try monitor.sockets(on: a.interface, port: later.clientPort)?.near?.window.count == 1)
            #expect(try monitor.sockets(on: a.interface, port: connection.clientPort)?.near == first)
            try monitor.stop()
        }

        /// Samples between two reports are in the next one, one for each time that the socket was active.
        @Test func reportHasSamplesSinceTheLast() throws {
            let node = try SocketNode()
            let monitor = try node.monitor()
            let connection = try node.connection(port: 7043)
            let (a, port) = try (node.lab.pod("a"), connection.clientPort)
            func gauges() throws -> TCPStatistics? { try monitor.sockets(on: a.interface, port: port)?.near }
            for _ in 0..<3 {
                try connection.send(100)
                #expect(try eventually { try a.namespace.unsent(by: port) == 0 })
                try monitor.perform { datapath in
                    datapath.sampleSockets()
                    // Nothing has happened since.
                    datapath.sampleSockets()
                }
            }
            #expect(try gauges() == nil)
            try monitor.scan()
            #expect(try gauges()?.window.count == 3)
            let listed = try ListedSocket(in: a.namespace, localPort: port)
            let (rtt, minRTT) = try (gauges()?.rtt, gauges()?.minRTT)
            #expect(rtt?.count == 3 && rtt?.smallest ?? 0 <= rtt?.largest ?? 0)
            #expect(try (rtt?.smallest ?? 0)...(rtt?.largest ?? 0) ~= #require(listed.rtt))
            #expect(minRTT?.smallest == listed.minRTT)
            try monitor.scan()
            #expect(try gauges()?.window.count == 3)
            connection.close()
            try monitor.stop()
        }

        /// Both programs of a pass read the same.
        @Test func passesAgree() throws {
            let node = try SocketNode()
            let readers = try node.lab.node.run {
                [try SocketReader(usesFasterPass: true), try SocketReader(usesFasterPass: false)]
            }
            let connection = try node.connection(port: 7046)
            let a = try node.lab.pod("a")
            try connection.send(1000)
            #expect(try eventually { try a.namespace.unsent(by: connection.clientPort) == 0 })
            let reports = readers.map { reader in
                var found: [[UInt32]] = []
                reader.read { report in
                    guard report.of.local_port == connection.clientPort.bigEndian else { return }
                    let (values, samples) = (report.gauges.values, report.gauges.samples)
                    found.append(
                        [values.0.sum, values.1.sum, values.2.sum, values.3.sum, UInt32(samples.0), UInt32(samples.1)]
                            + [report.of.remote.3, report.retransmissions, report.lost, report.timeouts]
                    )
                }
                return found
            }
            #expect(reports[0] == reports[1] && reports[0].count == 1, "\(reports)")
            #expect(reports[0].first?.prefix(6).allSatisfy { $0 > 0 } == true)
            connection.close()
        }

        /// Presets the count of a pod's sockets: the pod is refused more, others are not, and no count is lost.
        @Test func podTakesNoRoomOfOthers() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.tcp, .process])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            func kept(_ pod: LabNetwork.Pod) throws -> UInt32 {
                try monitor.kept(of: pod.interface)
            }
            #expect(try kept(a) == 0)
            let first = try node.connection(port: 7044)
            #expect(try eventually { try kept(a) == 1 && kept(b) == 1 })
            try monitor.addKept(UInt32(WEIR_MAX_SOCKETS) / 4, of: a.interface)
            let missed = try monitor.perform { $0.losses.missedSockets }
            let second = try node.connection(port: 7045)
            #expect(try eventually { try kept(b) == 2 })
            #expect(try kept(a) == UInt32(WEIR_MAX_SOCKETS) / 4 + 1)
            #expect(try monitor.perform { $0.losses.missedSockets } > missed)
            try second.send(1000)
            try monitor.scan()
            #expect(try monitor.sockets(on: b.interface, port: 7045)?.near != nil)
            #expect(try monitor.sockets(on: a.interface, port: 7045)?.near == nil)
            second.close()
            // Its last report has everything since it began.
            let isReported = try eventually {
                try monitor.scan()
                return try monitor.sockets(on: a.interface, port: 7045)?.near != nil
            }
            #expect(isReported)
            #expect(try monitor.processes(on: a.interface, port: 7045)?.near != nil)
            first.close()
            #expect(try eventually { try kept(a) == UInt32(WEIR_MAX_SOCKETS) / 4 && kept(b) == 0 })
            try monitor.stop()
        }

        /// The rings are read while a batch of a scan waits for the rest of the agent, and nothing of them is lost.
        @Test func ringsAreReadWhileBatchesWait() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [.tcp, .process, .dns])
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            let question = [UInt8](repeating: 1, count: 12)
            let connection = try node.connection(port: 7055)
            try connection.send(1000)
            var (batches, sockets, owners, messages) = (0, Set<UInt32>(), Set<UInt32>(), 0)
            try monitor.perform { datapath in
                for _ in 0..<2 {
                    _ = try datapath.scan { batch in
                        batches += 1
                        sockets.formUnion(batch.sockets.filter { $0.statistics != nil }.map(\.flowID))
                        owners.formUnion(
                            batch.sockets.filter { $0.statistics == nil && $0.process != nil }.map(\.flowID)
                        )
                        messages += batch.dns.count
                        // Flows that begin when the scan has passed their slots.
                        if batches == 1 {
                            _ = try? UDPExchange(
                                from: (a.namespace, a.ipv4),
                                to: (b.namespace, b.ipv4),
                                question,
                                question
                            )
                            connection.close()
                        }
                        datapath.drainSockets()
                        datapath.drainDatagrams()
                        datapath.drainDNS()
                    }
                }
            }
            #expect(sockets.count == 2 && owners.count == 2 && messages == 2)
            try monitor.stop()
        }

        /// Sockets of the host to a pod, which do not report, take no place of the pod's.
        @Test func hostTakesNoPlaceOfPod() throws {
            let node = try SocketNode()
            let monitor = try node.monitor()
            let b = try node.lab.pod("b")
            let place = HeldConnection.Place(b.ipv4, 7047)
            let call = try HeldConnection(.tcp, from: node.lab.node, to: place, answeredIn: b.namespace, at: place)
            try call.send(1000)
            try monitor.scan()
            #expect(try monitor.sockets(on: b.interface, port: 7047)?.near != nil)
            #expect(try monitor.kept(of: b.interface) == 1)
            call.close()
            #expect(try eventually { try monitor.kept(of: b.interface) == 0 })
            try monitor.stop()
        }

        /// A socket at an interface that is found to be a workload's later reports from then on.
        @Test func socketReportsWhenItsInterfaceIsWorkload() throws {
            let node = try SocketNode()
            let monitor = try node.monitor()
            let place = try HeldConnection.Place(LabAddress("192.0.2.2"), 7049)
            let call = try HeldConnection(.tcp, from: node.lab.node, to: place, answeredIn: node.outside, at: place)
            try call.send(1000)
            try monitor.scan()
            #expect(try monitor.sockets(on: "up0", port: 7049)?.near == nil)
            try node.lab.node.ip("route add 192.0.2.2/32 dev up0")
            try monitor.follow()
            try monitor.perform { $0.setWorkloadAddresses([IPAddress(192, 0, 2, 2)]) }
            try call.send(1000)
            try monitor.scan()
            #expect(try monitor.sockets(on: "up0", port: 7049)?.near?.window.count == 1)
            call.close()
            try monitor.stop()
        }

        /// Drops the first SYN to port 7048.
        private static let dropsFirst = """
            table ip weirloss {
                chain forward {
                    type filter hook forward priority 0
                    tcp dport 7048 limit rate 1/hour burst 1 packets drop
                }
            }
            """

        /// The kernel does not reset a socket's count of lost segments when it listens after a connection.
        @Test func listeningRepeatsNoLosses() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try node.lab.node.nft(Self.dropsFirst)
            let monitor = try node.monitor()
            let server = """
                import socket
                server = socket.socket()
                server.bind(("\(a.ipv4)", 7050))
                server.connect_ex(("\(b.ipv4)", 7048))
                server.listen()
                server.accept()[0].recv(10)
                """
            _ = try a.namespace.command(["bash", "-c", "python3 -c \"$1\" < /dev/null &> /dev/null &", "-", server])
            try #require(try eventually { try a.namespace.command(["ss", "-Hltn"]).contains(":7050 ") })
            _ = try b.namespace.command(["bash", "-c", "echo > /dev/tcp/\(a.ipv4)/7050"])
            // The refused connection has no samples.
            let isReported = try eventually {
                try monitor.scan()
                return monitor.sockets.contains { $0.key.nearPort == 7050 && $0.value.near?.window.count ?? 0 > 0 }
            }
            #expect(isReported)
            try monitor.stop()
            #expect(monitor.sockets.values.reduce(0) { $0 + ($1.near?.lost ?? 0) } == 1)
        }

        /// The kernel does not reset a socket's count of lost segments between its connections.
        @Test func connectingAgainRepeatsNoLosses() throws {
            let node = try SocketNode()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            try node.lab.node.nft(Self.dropsFirst)
            let monitor = try node.monitor()
            // Nobody listens: each connection is refused, the first one after its second SYN.
            let connects = """
                import socket
                caller = socket.socket()
                print([caller.connect_ex(("\(b.ipv4)", 7048)) for _ in range(3)])
                """
            let results = try a.namespace.command(["python3", "-c", connects])
            #expect(results == "[111, 111, 111]\n")
            #expect(try a.namespace.retransmissions() == 1)
            let isReported = try eventually {
                try monitor.scan()
                return monitor.sockets.values.contains { $0.near?.lost ?? 0 > 0 }
            }
            #expect(isReported)
            try monitor.stop()
            #expect(monitor.sockets.values.reduce(0) { $0 + ($1.near?.lost ?? 0) } == 1)
            #expect(monitor.sockets.values.reduce(0) { $0 + ($1.near?.retransmissions ?? 0) } == 1)
        }

        /// The reader of owners of UDP sockets is woken before one busy pod has used its quarter of the ring.
        @Test func busySenderWakesReaderOfOwners() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .process)
            let a = try node.lab.pod("a")
            let count = Int(WEIR_DATAGRAM_RING) / 5 / (8 + MemoryLayout<weir_socket>.size)
            // Nobody listens: each port is a flow of its own.
            let send = "for ((port = 20000; port < \(20_000 + count); port++)); do echo >/dev/udp/192.0.2.2/$port; done"
            try a.namespace.command(["bash", "-c", send])
            #expect(try monitor.perform { isReadable($0.datagramDescriptor, within: 5000) })
            let areKnown = try eventually {
                try monitor.perform { $0.drainDatagrams() }
                try monitor.scan()
                return try monitor.processes(on: a.interface, ports: 20_000..<20_000 + UInt16(count)) == count
            }
            #expect(areKnown)
            #expect(try monitor.perform { $0.losses.missedSockets } == 0)
            try monitor.stop()
        }
    }
}

extension NetworkNamespace {
    /// The bytes of the TCP socket with a local port that are not acknowledged.
    fileprivate func unsent(by port: UInt16) throws -> Int? {
        try command(["ss", "-Htn", "sport = :\(port)"]).split(separator: " ").dropFirst(2).first.flatMap { Int($0) }
    }
}

extension SocketReader {
    /// Whether an owner is this process.
    fileprivate func isOwn(_ owner: weir_socket_owner) -> Bool {
        DatapathSurvey.hiddenProcesses != nil ? owner.process != 0 : owner.process == UInt32(getpid())
    }
}

extension Monitor {
    private func share(
        of interface: String,
        _ body: (UnsafeMutablePointer<weir_socket_share>) -> UInt32
    ) throws -> UInt32 {
        let index = try namespace.run { if_nametoindex(interface) }
        return try perform { datapath in
            let position = try #require(datapath.positionsByIndex[index])
            return try body(#require(datapath.sockets).shares[position])
        }
    }

    /// The number of kept sockets of an interface.
    fileprivate func kept(of interface: String) throws -> UInt32 {
        try share(of: interface) { $0.pointee.kept.bytes }
    }

    /// Adds sockets that do not exist to those of an interface.
    func addKept(_ count: UInt32, of interface: String) throws {
        _ = try share(of: interface) { share in
            share.pointee.kept.bytes += count
            return 0
        }
    }

    /// The number of flows of an interface to some ports whose process is known.
    fileprivate func processes(on interface: String, ports: Range<UInt16>) throws -> Int {
        let index = try namespace.run { if_nametoindex(interface) }
        return processes.count {
            $0.key.interfaceIndex == index && ports ~= $0.key.farPort && $0.value.near != nil
        }
    }
}
