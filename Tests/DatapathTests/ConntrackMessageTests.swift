import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// Answers of ctnetlink, recorded from Linux 6.18.
enum ConntrackBytes {
    /// struct nlmsghdr: length, type IPCTNL_MSG_CT_NEW (0x0100), flags, sequence number, port.
    static func header(_ length: UInt8, sequence: UInt32) -> [UInt8] {
        [length, 0, 0, 0, 0x00, 0x01, 0x02, 0x00] + Message.little(sequence) + [0xe8, 0x63, 0x00, 0x00]
    }

    /// A UDP datagram from 10.77.0.2 port 40000 to 10.96.0.1 port 53, which was sent to 10.77.0.3 port 5353.
    static func udp(sequence: UInt32 = 7) -> [UInt8] {
        header(164, sequence: sequence) + [
            0x02, 0x00, 0x00, 0x00,  // struct nfgenmsg: AF_INET
            0x34, 0x00, 0x01, 0x80,  // CTA_TUPLE_ORIG, nested
            0x14, 0x00, 0x01, 0x80,  // CTA_TUPLE_IP, nested
            0x08, 0x00, 0x01, 0x00, 0x0a, 0x4d, 0x00, 0x02,  // CTA_IP_V4_SRC
            0x08, 0x00, 0x02, 0x00, 0x0a, 0x60, 0x00, 0x01,  // CTA_IP_V4_DST
            0x1c, 0x00, 0x02, 0x80,  // CTA_TUPLE_PROTO, nested
            0x05, 0x00, 0x01, 0x00, 0x11, 0x00, 0x00, 0x00,  // CTA_PROTO_NUM
            0x06, 0x00, 0x02, 0x00, 0x9c, 0x40, 0x00, 0x00,  // CTA_PROTO_SRC_PORT
            0x06, 0x00, 0x03, 0x00, 0x00, 0x35, 0x00, 0x00,  // CTA_PROTO_DST_PORT
            0x34, 0x00, 0x02, 0x80,  // CTA_TUPLE_REPLY, nested
            0x14, 0x00, 0x01, 0x80,
            0x08, 0x00, 0x01, 0x00, 0x0a, 0x4d, 0x00, 0x03,
            0x08, 0x00, 0x02, 0x00, 0x0a, 0x4d, 0x00, 0x02,
            0x1c, 0x00, 0x02, 0x80,
            0x05, 0x00, 0x01, 0x00, 0x11, 0x00, 0x00, 0x00,
            0x06, 0x00, 0x02, 0x00, 0x14, 0xe9, 0x00, 0x00,
            0x06, 0x00, 0x03, 0x00, 0x9c, 0x40, 0x00, 0x00,
            0x08, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0xa8,  // CTA_STATUS
            0x08, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,  // CTA_MARK
            0x08, 0x00, 0x0c, 0x00, 0xf6, 0x13, 0x4f, 0x27,  // CTA_ID
            0x08, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x00, 0x02,  // CTA_USE
            0x08, 0x00, 0x07, 0x00, 0x00, 0x00, 0x00, 0x1e,  // CTA_TIMEOUT
        ]
    }

    static let udpConnection = TrackedConnection(
        original: TrackedConnection.Tuple(
            source: IPAddress(10, 77, 0, 2),
            destination: IPAddress(10, 96, 0, 1),
            sourcePort: 40_000,
            destinationPort: 53,
            proto: .udp
        ),
        reply: TrackedConnection.Tuple(
            source: IPAddress(10, 77, 0, 3),
            destination: IPAddress(10, 77, 0, 2),
            sourcePort: 5353,
            destinationPort: 40_000,
            proto: .udp
        )
    )

    private static let echoAddresses: [UInt8] = [
        0x2c, 0x00, 0x01, 0x80,  // CTA_TUPLE_IP, nested
        0x14, 0x00, 0x03, 0x00, 0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02,  // CTA_IP_V6_SRC
        0x14, 0x00, 0x04, 0x00, 0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02,  // CTA_IP_V6_DST
    ]

    private static func echoProtocol(type: UInt8) -> [UInt8] {
        [
            0x24, 0x00, 0x02, 0x80,  // CTA_TUPLE_PROTO, nested
            0x05, 0x00, 0x01, 0x00, 0x3a, 0x00, 0x00, 0x00,  // CTA_PROTO_NUM
            0x06, 0x00, 0x07, 0x00, 0x10, 0x92, 0x00, 0x00,  // CTA_PROTO_ICMPV6_ID
            0x05, 0x00, 0x08, 0x00, type, 0x00, 0x00, 0x00,  // CTA_PROTO_ICMPV6_TYPE
            0x05, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00,  // CTA_PROTO_ICMPV6_CODE
        ]
    }

    /// An ICMPv6 echo from fd77::2 to itself with the identifier 4242.
    static func echo(sequence: UInt32 = 7) -> [UInt8] {
        header(188, sequence: sequence) + [0x0a, 0x00, 0x00, 0x00]
            + [0x54, 0x00, 0x01, 0x80] + echoAddresses + echoProtocol(type: 0x80)
            + [0x54, 0x00, 0x02, 0x80] + echoAddresses + echoProtocol(type: 0x81)
    }

    static var echoConnection: TrackedConnection {
        let address = IPAddress(ipv6High: 0xfd77_0000_0000_0000, low: 2)
        let request = TrackedConnection.Tuple(
            source: address,
            destination: address,
            sourcePort: 4242,
            destinationPort: 128 << 8,
            proto: .icmp6
        )
        var reply = request
        reply.destinationPort = 129 << 8
        return TrackedConnection(original: request, reply: reply)
    }

    /// Reads the first message of a datagram.
    static func read(_ bytes: [UInt8]) -> TrackedConnection? {
        let datagram = NetlinkBytes(bytes)
        guard let message = datagram.messages.first(where: { _ in true }) else { return nil }
        return ConntrackMessage.read(type: message.type, datagram, message.body)
    }
}

@Suite("Conntrack messages")
struct ConntrackMessageTests {
    @Test func parsesRecordedAnswers() {
        #expect(ConntrackBytes.read(ConntrackBytes.udp()) == ConntrackBytes.udpConnection)
        #expect(ConntrackBytes.udpConnection.isDestinationTranslated)
        #expect(ConntrackBytes.udpConnection.translatedSourcePort == nil)
        #expect(ConntrackBytes.read(ConntrackBytes.echo()) == ConntrackBytes.echoConnection)
    }

    /// After its header the request equals the beginning of the kernel's answer.
    @Test func requestEncodesTupleAsKernelDoes() {
        let examples = [
            (ConntrackBytes.udpConnection.original, ConntrackBytes.udp(), 72),
            (ConntrackBytes.echoConnection.original, ConntrackBytes.echo(), 104),
        ]
        for (tuple, answer, length) in examples {
            var request = NetlinkWriter()
            // The writer starts afresh when it is used again.
            for _ in 0..<2 {
                ConntrackMessage.write(tuple, into: &request)
                request.finish(sequence: 0x0102_0304)
            }
            // Type IPCTNL_MSG_CT_GET (0x0101), flags NLM_F_REQUEST (1).
            #expect(request.bytes.prefix(16) == [UInt8(length), 0, 0, 0, 1, 1, 1, 0, 4, 3, 2, 1, 0, 0, 0, 0])
            #expect(request.bytes.dropFirst(16) == answer.prefix(length).dropFirst(16))
        }
    }

    @Test func returnsNilForOtherMessages() {
        let original = ConntrackBytes.udp()
        var other = original
        other[4] = 2
        #expect(ConntrackBytes.read(other) == nil, "IPCTNL_MSG_CT_DELETE")
        var oneWay = original
        oneWay[72 + 2] = 9
        #expect(ConntrackBytes.read(oneWay) == nil, "no CTA_TUPLE_REPLY")
        var short = original
        short[0] = 18
        #expect(ConntrackBytes.read(short) == nil, "no struct nfgenmsg")
        #expect(ConntrackBytes.read([]) == nil)
    }

    /// For any bytes the parser terminates, and the bytes after the message do not change its result.
    @Test func damagedAnswerIgnoresFollowingBytes() {
        var numbers = RepeatableNumbers(seed: 43)
        let corpus = [ConntrackBytes.udp(), ConntrackBytes.echo()]
        var said = 0
        for round in 0..<100_000 {
            var message = corpus[round & 1]
            for _ in 0..<Int.random(in: 1...4, using: &numbers) { Message.damage(&message, &numbers) }
            message.replaceSubrange(0..<4, with: Message.little(UInt32(message.count)))
            let alone = ConntrackBytes.read(message)
            let padding = [UInt8](repeating: 0xff, count: 3 - (message.count + 3) % 4)
            if alone != nil { said += 1 }
            guard ConntrackBytes.read(message + padding + corpus[round & 1]) == alone else {
                Issue.record("round \(round): \(message)")
                return
            }
        }
        #expect(said > 1000, "the damage left too little: \(said)")
        #expect(said < 99_000, "there was no damage")
    }

    @Test func returnsNilForTruncatedAnswers() {
        for bytes in [ConntrackBytes.udp(), ConntrackBytes.echo()] {
            for length in 0..<bytes.count {
                #expect(ConntrackBytes.read(Array(bytes.prefix(length))) == nil)
            }
        }
    }

    /// Types of ICMP, and their reply types.
    @Test(arguments: [
        (IPProtocol.icmp, 8 as UInt16, 0 as UInt16?), (.icmp, 0, 8), (.icmp, 13, 14), (.icmp, 16, 15), (.icmp, 18, 17),
        (.icmp, 3, nil), (.icmp, 128, nil), (.icmp6, 128, nil),
    ])
    func invertsAndFoldsTuples(_ proto: IPProtocol, _ type: UInt16, _ answer: UInt16?) {
        let tuple = TrackedConnection.Tuple(
            source: IPAddress(10, 0, 0, 1),
            destination: IPAddress(10, 0, 0, 2),
            sourcePort: 99,
            destinationPort: type << 8 | 1,
            proto: proto
        )
        #expect(tuple.isTracked == (answer != nil))
        guard let answer else { return }
        #expect(tuple.inverted.source == tuple.destination)
        #expect(tuple.inverted.destination == tuple.source)
        #expect((tuple.inverted.sourcePort, tuple.inverted.destinationPort) == (99, answer << 8 | 1))
        #expect(tuple.inverted.inverted == tuple)
        #expect(tuple.folded?.source == tuple.source)
        #expect(tuple.folded?.destinationPort == answer << 8 | 1)
    }
}

/// A scripted kernel socket, and a tracker that queries it.
private final class ScriptedKernel {
    let tracker: Conntrack
    private let descriptor: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &ends) == 0)
        descriptor = ends[0]
        tracker = Conntrack(NetlinkChannel(owning: FileDescriptor(owning: ends[1])))
    }

    deinit {
        close(descriptor)
    }

    /// Enqueues a datagram for the tracker's next reads.
    func enqueue(_ bytes: [UInt8]) throws {
        try #require(send(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT)) == bytes.count)
    }
}

@Suite("Conntrack answers")
struct ConntrackAnswerTests {
    private let known = ConntrackBytes.udpConnection.original

    @Test func skipsAnswersToEarlierRequests() throws {
        let kernel = try ScriptedKernel()
        try kernel.enqueue(ConntrackBytes.echo(sequence: 0))
        try kernel.enqueue(Message.error(ENOENT, sequence: 0))
        try kernel.enqueue([1, 2, 3])
        try kernel.enqueue([])
        try kernel.enqueue(ConntrackBytes.udp(sequence: 1))
        #expect(kernel.tracker.connection(of: known) == ConntrackBytes.udpConnection)
        #expect(kernel.tracker.statistics.found == 1)
        #expect(kernel.tracker.statistics.failures == 0)
    }

    @Test func timesOutAfterTenthOfSecond() throws {
        let kernel = try ScriptedKernel()
        let time = ContinuousClock().measure { #expect(kernel.tracker.connection(of: known) == nil) }
        #expect(time >= .milliseconds(80))
        #expect(time < .seconds(20))
        #expect(kernel.tracker.statistics.failures == 1)
        // The late answer is not taken for that of the next request.
        try kernel.enqueue(Message.error(ENOENT, sequence: 1))
        try kernel.enqueue(ConntrackBytes.udp(sequence: 2))
        #expect(kernel.tracker.connection(of: known) == ConntrackBytes.udpConnection)
    }

    /// The tracker queries both directions before it reports a connection as unknown.
    @Test func unknownConnectionIsNotFailure() throws {
        let kernel = try ScriptedKernel()
        try kernel.enqueue(Message.error(ENOENT, sequence: 1))
        try kernel.enqueue(Message.error(ENOENT, sequence: 2))
        #expect(kernel.tracker.connection(of: known) == nil)
        #expect(kernel.tracker.statistics.queries == 1)
        #expect(kernel.tracker.statistics.found == 0)
        #expect(kernel.tracker.statistics.failures == 0)
        try kernel.enqueue(Message.error(ENOENT, sequence: 3))
        try kernel.enqueue(ConntrackBytes.udp(sequence: 4))
        #expect(kernel.tracker.connection(of: ConntrackBytes.udpConnection.reply.inverted) != nil)
    }

    /// Answers to many requests, in any order, some of them missing or malformed; a missing one causes no wait.
    @Test func matchesBatchAnswersBySequenceNumber() throws {
        let kernel = try ScriptedKernel()
        try kernel.enqueue(ConntrackBytes.udp(sequence: 4))
        try kernel.enqueue(Message.error(ENOENT, sequence: 2))
        try kernel.enqueue(ConntrackBytes.udp(sequence: 9))
        try kernel.enqueue([1, 2, 3])
        try kernel.enqueue(ConntrackBytes.echo(sequence: 3))
        try kernel.enqueue(ConntrackBytes.udp(sequence: 1))
        let answers = kernel.tracker.connections(of: Array(repeating: known, count: 5))
        #expect(answers == [ConntrackBytes.udpConnection, nil, nil, ConntrackBytes.udpConnection, nil])
        let statistics = kernel.tracker.statistics
        #expect((statistics.queries, statistics.found, statistics.failures) == (5, 2, 2))
        // The next request has a sequence number of its own.
        try kernel.enqueue(ConntrackBytes.udp(sequence: 5))
        try kernel.enqueue(ConntrackBytes.udp(sequence: 6))
        #expect(kernel.tracker.connections(of: [known]) == [ConntrackBytes.udpConnection])
    }

    static let senseless: [(name: String, bytes: [UInt8])] = [
        ("another error", Message.error(EINVAL, sequence: 1)),
        ("another connection", ConntrackBytes.echo(sequence: 1)),
        ("another message", Message.message(16, sequence: 1, [UInt8](repeating: 0, count: 16))),
        ("a message without a body", Message.message(0x0100, sequence: 1, [])),
    ]

    @Test(arguments: senseless.map(\.name))
    func unexpectedAnswersCountAsFailures(_ name: String) throws {
        let kernel = try ScriptedKernel()
        for example in Self.senseless where example.name == name { try kernel.enqueue(example.bytes) }
        #expect(kernel.tracker.connection(of: known) == nil)
        #expect(kernel.tracker.statistics.failures == 1)
    }

    @Test func untrackedPacketsCauseNoRequest() throws {
        let kernel = try ScriptedKernel()
        var mixed = known
        mixed.source = IPAddress(ipv6High: 1, low: 2)
        var other = known
        other.proto = IPProtocol(rawValue: 50)
        for tuple in [mixed, other] { #expect(kernel.tracker.connection(of: tuple) == nil) }
        #expect(kernel.tracker.statistics.queries == 2)
        #expect(kernel.tracker.statistics.failures == 0)
    }
}
