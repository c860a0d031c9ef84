import CWeir
import FlowModel
import Glibc
import Testing

@testable import Datapath

/// A rule for each prefix that is not empty.
private func rule(_ prefix: String) -> LoggedRule? {
    prefix.isEmpty ? nil : LoggedRule(prefix: prefix, direction: nil, action: .deny, hit: "t|t.p|deny|0")
}

/// Scripted kernel sockets, and a log that reads them.
private final class ScriptedKernel {
    let log: VerdictLog
    private let descriptors: [Int32]

    init(
        groups: [UInt16] = [5],
        maximumVerdicts: Int = VerdictLog.maximumVerdicts,
        meaning: @escaping (String) -> LoggedRule? = rule
    ) throws {
        var descriptors: [Int32] = []
        var sockets: [VerdictLog.Holder] = []
        for group in groups {
            var ends: [Int32] = [-1, -1]
            try #require(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &ends) == 0)
            descriptors.append(ends[0])
            let socket = VerdictLogSocket(owning: FileDescriptor(owning: ends[1]), group: group)
            sockets.append(VerdictLog.Holder(socket))
        }
        self.descriptors = descriptors
        log = VerdictLog(sockets, hasConnections: true, maximumVerdicts: maximumVerdicts, meaning: meaning)
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    /// Sends a datagram to the log, and drains the log.
    func put(_ bytes: [UInt8], group: Int = 0) throws {
        try #require(send(descriptors[group], bytes, bytes.count, Int32(MSG_DONTWAIT)) == bytes.count)
        log.drain()
    }

    /// A UDP datagram that a rule logged.
    static func packet(
        port: UInt16 = 53,
        prefix: String = "drop",
        sequence: UInt32? = nil,
        connection: [UInt8] = []
    ) -> [UInt8] {
        let packet = Frame.ipv4(17, Frame.udp(to: port, payload: 4))
        return VerdictLogBytes.packet(
            VerdictLogBytes.header() + VerdictLogBytes.prefix(prefix)
                + (sequence.map(VerdictLogBytes.sequence) ?? []) + connection
                + VerdictLogBytes.payload(packet)
        )
    }
}

/// Logged packets, without a kernel.
@Suite("Verdict log, scripted")
struct VerdictLogTableTests {
    @Test func mergesEqualPacketsIntoOneVerdict() throws {
        let kernel = try ScriptedKernel(groups: [1, 2])
        try kernel.put(VerdictLogBytes.recorded)
        for _ in 0..<10 { try kernel.put(VerdictLogBytes.recorded, group: 1) }
        let verdicts = kernel.log.take()
        #expect(verdicts.map(\.packets) == VerdictLogBytes.recordedTuples)
        #expect(verdicts.map(\.rule.prefix) == ["APE0|gnp/default.x", "deny-icmp", "deny-icmp"])
        #expect(verdicts.map(\.traffic) == [33, 61, 84].map { TrafficCounters(packets: 11, bytes: 11 * $0) })
        #expect(verdicts[1].rule === verdicts[2].rule)
        #expect(verdicts.allSatisfy { $0.connection == nil })
        #expect(kernel.log.take().isEmpty)
        #expect(kernel.log.statistics.packets == 33)
        #expect(kernel.log.statistics.judged == 33)
        #expect(kernel.log.statistics.verdicts == 3)
        #expect(kernel.log.groups == [1, 2])
    }

    @Test func keepsVerdictsOfRulesSeparate() throws {
        let kernel = try ScriptedKernel()
        for prefix in ["drop a", "drop b", "drop a"] { try kernel.put(ScriptedKernel.packet(prefix: prefix)) }
        let verdicts = kernel.log.take()
        #expect(verdicts.map(\.rule.prefix) == ["drop a", "drop b"])
        #expect(verdicts.map(\.traffic.packets) == [2, 1])
        // The rule is the same object the next time.
        try kernel.put(ScriptedKernel.packet(prefix: "drop b"))
        #expect(kernel.log.take().first?.rule === verdicts[1].rule)
    }

    @Test func resolvesEachPrefixOnce() throws {
        var asked: [String] = []
        let kernel = try ScriptedKernel { prefix in
            asked.append(prefix)
            return prefix == "drop" ? rule(prefix) : nil
        }
        for _ in 0..<3 {
            for prefix in ["drop", "", "what", "dro", "dropp"] { try kernel.put(ScriptedKernel.packet(prefix: prefix)) }
        }
        #expect(asked == ["drop", "", "what", "dro", "dropp"])
        #expect(kernel.log.statistics.packets == 15)
        #expect(kernel.log.statistics.judged == 3)
        #expect(kernel.log.statistics.withoutVerdict == 12)
        #expect(kernel.log.statistics.unknownPrefixes == 4)
        #expect(kernel.log.take().count == 1)
    }

    @Test func verdictIncludesConnection() throws {
        let kernel = try ScriptedKernel()
        let connection = VerdictLogBytes.connection(ConntrackBytes.udp())
        try kernel.put(ScriptedKernel.packet(port: 1))
        try kernel.put(ScriptedKernel.packet(port: 1, connection: connection))
        try kernel.put(ScriptedKernel.packet(port: 2, connection: connection))
        // The connection of an echo cannot be a UDP packet's.
        try kernel.put(ScriptedKernel.packet(port: 3, connection: VerdictLogBytes.connection(ConntrackBytes.echo())))
        let known = ConntrackBytes.udpConnection
        #expect(kernel.log.take().map(\.connection) == [known, known, nil])
    }

    /// The kernel logs an ICMP error with the connection that the error is about.
    @Test func icmpErrorsHaveNoConnection() throws {
        let kernel = try ScriptedKernel()
        let echo = VerdictLogBytes.connection(ConntrackBytes.echo())
        for type in [3, 128] as [UInt8] {
            let packet = Frame.ipv6(58, [type, 0, 0, 0, 0, 1, 0, 0])
            let attributes = VerdictLogBytes.prefix("drop") + echo + VerdictLogBytes.payload(packet)
            try kernel.put(VerdictLogBytes.packet(family: 10, attributes))
        }
        #expect(kernel.log.take().map(\.connection) == [nil, ConntrackBytes.echoConnection])
    }

    @Test func boundsNumberOfVerdicts() throws {
        let kernel = try ScriptedKernel(maximumVerdicts: 10)
        for port in 0..<25 as Range<UInt16> { try kernel.put(ScriptedKernel.packet(port: port)) }
        // Existing verdicts continue to count.
        try kernel.put(ScriptedKernel.packet(port: 3))
        #expect(kernel.log.statistics.crowdedOut == 15)
        let verdicts = kernel.log.take()
        #expect(verdicts.map(\.packets.destinationPort) == Array(0..<10))
        #expect(verdicts[3].traffic.packets == 2)
        try kernel.put(ScriptedKernel.packet(port: 20))
        #expect(kernel.log.take().count == 1)
        #expect(kernel.log.statistics.crowdedOut == 15)
    }

    @Test(
        arguments: [
            ([0, 1, 2], 0), ([3], 3), ([0, 5, 6, 10], 7), ([0, 1, 1], 0), ([0, 0x7fff_0000, 0x7fff_0001], 0x7ffe_ffff),
        ] as [([UInt32], UInt64)]
    )
    func countsSequenceGapsAsLosses(_ numbers: [UInt32], _ lost: UInt64) throws {
        let kernel = try ScriptedKernel()
        for number in numbers { try kernel.put(ScriptedKernel.packet(sequence: number)) }
        #expect(kernel.log.statistics.lost == lost)
    }

    /// The number is of 32 bits, and each group has its own.
    @Test func sequenceNumbersWrapPerGroup() throws {
        let kernel = try ScriptedKernel(groups: [1, 2])
        try kernel.put(ScriptedKernel.packet(sequence: 0), group: 1)
        for number in [0x7fff_fff0, 0xffff_fff0, 0xffff_ffff, 0, 1] as [UInt32] {
            try kernel.put(ScriptedKernel.packet(sequence: number))
        }
        try kernel.put(ScriptedKernel.packet(sequence: 1), group: 1)
        #expect(kernel.log.statistics.lost == 0x7fff_fff0 + 0x7fff_ffff + 14)
    }

    @Test func countsAndSkipsMalformedMessages() throws {
        let kernel = try ScriptedKernel()
        let cut = VerdictLogBytes.packet(VerdictLogBytes.prefix("drop") + VerdictLogBytes.payload([0x45, 0, 0, 20]))
        let noPayload = VerdictLogBytes.packet(VerdictLogBytes.prefix("drop"))
        try kernel.put(cut + noPayload + ScriptedKernel.packet() + VerdictLogBytes.done)
        try kernel.put([1, 2, 3])
        try kernel.put([])
        try kernel.put(Message.error(ENOENT))
        let statistics = kernel.log.statistics
        #expect((statistics.packets, statistics.unparsed, statistics.judged) == (3, 2, 1))
        #expect(kernel.log.take().count == 1)
    }

    @Test func evictedPrefixIsResolvedAgain() {
        var asked = 0
        var rules = VerdictLogRules(capacity: 3) { prefix in
            asked += 1
            return rule(prefix)
        }
        func look(_ prefix: String) -> String? {
            let bytes = NetlinkBytes(Array(prefix.utf8))
            return rules.rule(bytes, 0..<bytes.count)?.prefix
        }
        for prefix in ["a", "b", "c", "a", "b", "c"] { #expect(look(prefix) == prefix) }
        #expect(asked == 3)
        for prefix in ["d", "a", "d", "a"] { #expect(look(prefix) == prefix) }
        #expect(asked == 5)
        var numbers = RepeatableNumbers(seed: 3)
        for _ in 0..<10_000 {
            let prefix = "p\(Int.random(in: 0..<9, using: &numbers))"
            #expect(look(prefix) == prefix)
        }
    }
}
