import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// Two pods, the node between them, a firewall on it, and a log that reads the packets of its rules.
private final class LoggingLab {
    let network: LabNetwork
    let a: LabNetwork.Pod
    let b: LabNetwork.Pod
    let log: VerdictLog
    /// The verdicts so far, with the packets of a tuple and a rule added up.
    private(set) var verdicts: [LoggedVerdict] = []

    init(groups: [UInt16] = [5], rules: String, buffer: Int32 = VerdictLogSocket.defaultBuffer) throws {
        network = try LabNetwork(pods: ["a", "b"])
        a = try network.pod("a")
        b = try network.pod("b")
        log = try network.node.run { try VerdictLog(groups: groups, buffer: buffer, meaning: Self.rule) }
        try network.node.nft(rules)
    }

    static func rule(_ prefix: String) -> LoggedRule? {
        LoggedRule(prefix: prefix, direction: nil, action: .deny, hit: "t|t.p|deny|0")
    }

    /// A table with one chain.
    static func rules(_ rules: String..., hook: String = "forward", type: String = "filter") -> String {
        """
        table inet test {
            chain c { type \(type) hook \(hook) priority 0
                \(rules.joined(separator: "\n        "))
            }
        }
        """
    }

    var node: NetworkNamespace { network.node }

    /// Returns the sum of all rules' counters.
    func counted() throws -> TrafficCounters {
        let words = try node.command(["nft", "list", "ruleset"]).split(whereSeparator: \.isWhitespace)
        var sum = TrafficCounters.zero
        for place in words.indices.dropFirst() where words[place] == "packets" && words[place - 1] == "counter" {
            sum.packets += try #require(UInt64(words[place + 1]))
            sum.bytes += try #require(UInt64(words[place + 3]))
        }
        return sum
    }

    /// All logged traffic.
    var logged: TrafficCounters { verdicts.reduce(.zero) { $0 + $1.traffic } }

    /// Reads until as much was logged as the rules have counted, and something was.
    func settle(sourceLocation: SourceLocation = #_sourceLocation) throws {
        var counters = TrafficCounters.zero
        let isSettled = try eventually {
            counters = try counted()
            read()
            return logged == counters && counters != .zero
        }
        #expect(isSettled, "\(logged) logged of \(counters); \(log.statistics)", sourceLocation: sourceLocation)
        #expect(log.statistics.lost == 0, sourceLocation: sourceLocation)
    }

    /// Takes what was logged.
    func read() {
        log.drain()
        for verdict in log.take() {
            let place = verdicts.firstIndex { $0.packets == verdict.packets && $0.rule === verdict.rule }
            guard let place else {
                verdicts.append(verdict)
                continue
            }
            verdicts[place].traffic += verdict.traffic
        }
    }

    /// Sends something that need not arrive.
    func attempt(_ proto: TestProtocol, isIPv6: Bool, size: Int = 100) throws {
        let address = isIPv6 ? b.ipv6 : b.ipv4
        let path = TrafficPath(from: a.namespace, to: b.namespace, at: address, timeout: .milliseconds(20))
        switch proto {
        case .udp: _ = try path.udp(count: 30, size: size, port: 2000, sourcePort: 3000)
        case .tcp: _ = try path.tcpAttempt(port: 2000)
        case .icmp: _ = try path.ping(count: 20, identifier: 77)
        }
    }

    /// The packets from the first pod to the second.
    func tuple(_ proto: IPProtocol, isIPv6: Bool, ports: (UInt16, UInt16)) throws -> TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: try #require(IPAddress("\(isIPv6 ? a.ipv6 : a.ipv4)")),
            destination: try #require(IPAddress("\(isIPv6 ? b.ipv6 : b.ipv4)")),
            sourcePort: ports.0,
            destinationPort: ports.1,
            proto: proto
        )
    }
}

extension KernelTests {
    @Suite("Verdict log")
    struct VerdictLogTests {
        @Test(arguments: TestProtocol.allCases, [false, true])
        func logsDroppedPackets(_ proto: TestProtocol, _ isIPv6: Bool) throws {
            let lab = try LoggingLab(
                rules: LoggingLab.rules("counter log prefix \"APE0|gnp/default.x\" group 5 drop")
            )
            try lab.attempt(proto, isIPv6: isIPv6)
            try lab.settle()
            let verdict = try #require(lab.verdicts.first)
            #expect(lab.verdicts.count == 1)
            #expect(verdict.rule.prefix == "APE0|gnp/default.x")
            let expected: TrackedConnection.Tuple =
                switch proto {
                case .udp: try lab.tuple(.udp, isIPv6: isIPv6, ports: (3000, 2000))
                case .tcp: try lab.tuple(.tcp, isIPv6: isIPv6, ports: (verdict.packets.sourcePort, 2000))
                case .icmp:
                    try lab.tuple(isIPv6 ? .icmp6 : .icmp, isIPv6: isIPv6, ports: (77, isIPv6 ? 128 << 8 : 8 << 8))
                }
            #expect(verdict.packets == expected)
            #expect(lab.log.statistics.verdicts < verdict.traffic.packets || proto == .tcp)
        }

        /// Without connection tracking in the namespace, fragments meet the rule one by one.
        @Test(arguments: [false, true])
        func fragmentsHaveThePortsOfTheFirst(_ isIPv6: Bool) throws {
            let lab = try LoggingLab(rules: LoggingLab.rules("counter log prefix \"drop\" group 5 drop"))
            try lab.attempt(.udp, isIPv6: isIPv6, size: 4000)
            try lab.settle()
            #expect(lab.verdicts.map(\.packets) == [try lab.tuple(.udp, isIPv6: isIPv6, ports: (3000, 2000))])
            #expect(lab.verdicts.first?.traffic.packets == 90)
        }

        @Test func keepsRulesAndGroupsSeparate() throws {
            let lab = try LoggingLab(
                groups: [5, 6],
                rules: LoggingLab.rules(
                    "meta l4proto udp counter log prefix \"drop udp\" group 5 drop",
                    "meta l4proto icmp counter log prefix \"pass icmp\" group 6",
                    "meta l4proto icmp counter log prefix \"drop icmp\" group 5",
                    "meta l4proto icmp log prefix \"other group\" group 7",
                    "meta l4proto icmp log prefix \"no group\" drop"
                )
            )
            try lab.attempt(.udp, isIPv6: false)
            try lab.attempt(.icmp, isIPv6: false)
            try lab.settle()
            #expect(lab.verdicts.map(\.rule.prefix).sorted() == ["drop icmp", "drop udp", "pass icmp"])
            #expect(lab.verdicts.first { $0.rule.prefix == "pass icmp" }?.traffic.packets == 20)
        }

        /// The packets have the addresses at the rule; the connection has the original ones, where the kernel includes it.
        @Test func translatedPacketsIncludeConnection() throws {
            let lab = try LoggingLab(
                rules: """
                    table ip nat {
                        chain c { type nat hook prerouting priority dstnat
                            ip daddr 10.96.0.1 udp dport 53 dnat to 10.77.0.3:5353
                        }
                    }
                    """
                        + "\n"
                        + LoggingLab.rules("ct state new counter log prefix \"accept\" group 5")
            )
            let held = try HeldConnection(
                .udp,
                from: lab.a.namespace,
                to: HeldConnection.Place(try LabAddress("10.96.0.1"), 53),
                answeredIn: lab.b.namespace,
                at: HeldConnection.Place(lab.b.ipv4, 5353)
            )
            try lab.settle()
            let verdict = try #require(lab.verdicts.first)
            #expect(verdict.packets == (try lab.tuple(.udp, isIPv6: false, ports: (held.clientPort, 5353))))
            guard lab.log.hasConnections else {
                #expect(verdict.connection == nil)
                return
            }
            let connection = try #require(verdict.connection)
            #expect(connection.original.destination == IPAddress(10, 96, 0, 1))
            #expect(connection.original.destinationPort == 53)
            #expect(connection.original.sourcePort == held.clientPort)
            #expect(connection.reply.source == verdict.packets.destination)
            #expect(connection.isDestinationTranslated)
        }

        /// Reassembled where connections are tracked: one packet, as the rule sees it.
        @Test func reassembledPacketsAreWhole() throws {
            let rules = LoggingLab.rules("ct state new counter log prefix \"drop\" group 5 drop")
            let lab = try LoggingLab(rules: rules)
            try lab.attempt(.udp, isIPv6: false, size: 4000)
            try lab.settle()
            #expect(lab.verdicts.map(\.packets) == [try lab.tuple(.udp, isIPv6: false, ports: (3000, 2000))])
            #expect(lab.verdicts.first?.traffic == TrafficCounters(packets: 30, bytes: 30 * 4028))
        }

        @Test(arguments: [
            LoggingLab.rules("counter log prefix \"drop\" group 5 drop", hook: "prerouting"),
            """
            table netdev test {
                chain c { type filter hook ingress device calia priority 0
                    counter log prefix \"drop\" group 5 drop
                }
            }
            """,
        ])
        func logsPacketsOfEarlierHooks(_ rules: String) throws {
            let lab = try LoggingLab(rules: rules)
            try lab.attempt(.udp, isIPv6: true)
            try lab.settle()
            #expect(lab.verdicts.map(\.packets) == [try lab.tuple(.udp, isIPv6: true, ports: (3000, 2000))])
        }

        /// A rule may have less copied than there is room for.
        @Test(arguments: [(28, true), (24, true), (23, false), (20, false)])
        func snaplenMustIncludePorts(_ length: Int, _ isEnough: Bool) throws {
            let lab = try LoggingLab(
                rules: LoggingLab.rules("counter log prefix \"drop\" group 5 snaplen \(length) drop")
            )
            try lab.attempt(.udp, isIPv6: false)
            if isEnough {
                try lab.settle()
                #expect(lab.verdicts.map(\.packets) == [try lab.tuple(.udp, isIPv6: false, ports: (3000, 2000))])
            } else {
                let counted = try lab.counted().packets
                let isHeard = eventually {
                    lab.read()
                    return lab.log.statistics.unparsed == counted
                }
                #expect(isHeard, "\(lab.log.statistics)")
                #expect(lab.verdicts.isEmpty)
            }
        }

        // MARK: End and limits

        /// The kernel collects packets for 10 ms; what it has at the end is not lost.
        @Test func finishReadsLastPackets() throws {
            let lab = try LoggingLab(
                rules: LoggingLab.rules("udp dport 2000 counter log prefix \"accept\" group 5", hook: "output")
            )
            let node = try LabAddress("127.0.0.1")
            let path = TrafficPath(from: lab.node, to: lab.node, at: node, timeout: .milliseconds(20))
            let verdicts = try lab.node.run {
                // The rule is met on the thread that sends.
                _ = try path.udp(count: 3, port: 2000)
                lab.log.finish()
                return lab.log.take()
            }
            #expect(verdicts.map(\.traffic.packets) == [3])
            _ = try path.udp(count: 3, port: 2000)
            lab.read()
            #expect(lab.verdicts.isEmpty)
            #expect(try lab.counted().packets == 6)
        }

        /// Packets that do not fit into the buffer are lost, counted to the packet, and do not end anything.
        @Test func countsPacketsLostInOverrun() throws {
            let lab = try LoggingLab(
                rules: LoggingLab.rules("counter log prefix \"drop\" group 5 drop"),
                buffer: 32 << 10
            )
            let packet = Packet.udp(from: lab.a.ipv4, port: 3000, to: lab.b.ipv4, port: 2000, payload: [1, 2, 3])
            let frame = Packet.ethernet(
                destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee],
                source: [2, 0x77, 0, 0, 0, 2],
                payload: packet
            )
            let sender = try FrameSender("eth0", in: lab.a.namespace)
            try sender.send(frame, times: 20_000)
            try #require(try eventually { try lab.counted().packets == 20_000 })
            lab.read()
            #expect(lab.log.statistics.overruns > 0)
            #expect(lab.logged.packets > 0)
            #expect(lab.logged.packets < 20_000)
            // The sequence number of the next packet shows how many were lost.
            try sender.send(frame)
            let isComplete = eventually {
                lab.read()
                return lab.log.statistics.packets + lab.log.statistics.lost == 20_001
            }
            #expect(isComplete, "\(lab.log.statistics)")
            #expect(lab.verdicts.count == 1)
            #expect(lab.logged.packets == lab.log.statistics.judged)
        }

        /// A flood of different packets, read as the agent reads: all of them are verdicts, or counted.
        @Test func floodIsBoundedByMaximumVerdicts() throws {
            let lab = try LoggingLab(rules: LoggingLab.rules("udp dport 9 counter log prefix \"drop\" group 5 drop"))
            let sweep = try FlowSweep(flows: 30_000, from: lab.a.ipv4, to: lab.b.ipv4)
            var frame = sweep.template
            frame.replaceSubrange(0..<6, with: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee])
            let sender = try FrameSender("eth0", in: lab.a.namespace)
            var sent = 0
            while sent < 30_000 {
                let first = sent
                try sender.send(frame, times: 1000) { frame, number in sweep.change(&frame, first + number) }
                sent += 1000
                lab.log.drain()
            }
            let isComplete = try eventually {
                lab.log.drain()
                return try lab.counted().packets == lab.log.statistics.packets + lab.log.statistics.lost
            }
            #expect(isComplete, "\(lab.log.statistics)")
            #expect(lab.log.statistics.packets == 30_000)
            let verdicts = lab.log.take()
            #expect(verdicts.count == VerdictLog.maximumVerdicts)
            #expect(lab.log.statistics.crowdedOut == 30_000 - UInt64(VerdictLog.maximumVerdicts))
        }

        // MARK: Start

        @Test func rejectsGroupThatIsInUse() throws {
            let namespace = try NetworkNamespace()
            func open(_ groups: [UInt16], in place: NetworkNamespace) throws -> VerdictLog {
                // A group that was given back is free then.
                SpawnLock.barrier()
                return try place.run { try VerdictLog(groups: groups, meaning: LoggingLab.rule) }
            }
            do {
                let first = try open([5, 0], in: namespace)
                var refusals: [DatapathError] = []
                for groups in [[5], [4, 5], [0]] as [[UInt16]] {
                    do {
                        _ = try open(groups, in: namespace)
                    } catch let error as DatapathError {
                        refusals.append(error)
                    }
                }
                try #require(refusals.count == 3)
                for (refusal, group) in zip(refusals, [5, 5, 0]) {
                    #expect("\(refusal)".hasPrefix("listen to log group \(group): Device or resource busy; "))
                    #expect(!refusal.isUnsupported)
                    for word in ["another program", "ulogd", "Felix", "--nflog-group"] {
                        #expect("\(refusal)".contains(word))
                    }
                }
                // Another namespace has groups of its own, and group 4 was given back.
                let others = [try open([5], in: NetworkNamespace()), try open([4, 65535], in: namespace)]
                withExtendedLifetime((first, others)) {}
            }
            // It is free when its reader has closed.
            #expect(try open([5], in: namespace).groups == [5])
        }

        @Test func logGroupNeedsNetAdmin() throws {
            let work = try BackgroundWork {
                try ThreadAlone.keepCapabilities(0)
                return try VerdictLog(groups: [5], meaning: LoggingLab.rule).groups
            }
            #expect(throws: DatapathError.missingPrivilege(capabilities: ["CAP_NET_ADMIN"])) { try work.value() }
        }
    }
}
