import CWeir
public import FlowModel
import Glibc

/// Verdicts from the packets that rules of the packet filter log to groups.
///
/// Such rules are nftables `log group N` and iptables `-j NFLOG --nflog-group N`.
///
/// It covers the network namespace of the thread that creates it, IPv4 and IPv6. Packets with the same addresses that matched
/// the same rule become one verdict until they are taken. Between two calls of ``drain()`` logged packets wait in the kernel,
/// some 10,000 of a group; more are lost: then a verdict may be missing or have less traffic, and ``Statistics/lost`` grows.
/// Counters of flows do not come from here.
///
/// Used from one thread at a time. Needs CAP_NET_ADMIN.
public final class VerdictLog {
    /// Counts of the log so far, in packets unless stated otherwise.
    public struct Statistics: Sendable, Hashable {
        /// Packets that were received.
        public var packets: UInt64 = 0
        /// Packets that became verdicts.
        public var judged: UInt64 = 0
        /// Packets whose log prefix stands for no verdict.
        public var withoutVerdict: UInt64 = 0
        /// Packets that are not IP, malformed, or cut off before their ports by the rule (`snaplen`).
        public var unparsed: UInt64 = 0
        /// Packets that exceeded the limit of different verdicts that wait to be taken.
        public var crowdedOut: UInt64 = 0
        /// Packets that rules logged and that were not received, because too many were waiting.
        public var lost: UInt64 = 0
        /// The number of times that the socket's buffer overflowed.
        public var overruns: UInt64 = 0
        /// Distinct log prefixes that stand for no verdict.
        public var unknownPrefixes: UInt64 = 0
        /// Verdicts that were taken.
        public var verdicts: UInt64 = 0

        /// Creates an empty value.
        public init() {}
    }

    /// The groups that are read.
    public let groups: [UInt16]
    /// Whether the kernel reports the connection of a packet.
    public let hasConnections: Bool

    private let sockets: [Holder]
    private var counts = Statistics()
    private var rules: VerdictLogRules
    private var table: VerdictLogTable
    private var fragments = FragmentMemory()
    /// Room for a datagram: the kernel makes larger ones for one large packet only.
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Different verdicts that may wait to be taken; about 1.5 MB.
    static let maximumVerdicts = 8192
    /// Prefixes that are known at a time: one for each logging rule of a node.
    static let maximumPrefixes = 16_384
    /// Datagrams of a group that one ``drain()`` reads: more than may wait, so that it ends while more is logged.
    private static let maximumReceptions = 4096

    /// Subscribes to groups.
    ///
    /// - Parameters:
    ///   - groups: the groups, each once.
    ///   - meaning: returns the rule of a log prefix, nil if it stands for no verdict; called once for each prefix, by
    ///     ``drain()``.
    /// - Throws: ``DatapathError/system(operation:errno:advice:)`` with EBUSY where another program reads a group;
    ///   ``DatapathError/unsupportedKernel(feature:since:advice:)`` where the kernel has no nfnetlink_log;
    ///   ``DatapathError/missingPrivilege(capabilities:)`` without CAP_NET_ADMIN.
    public convenience init(
        groups: [UInt16],
        meaning: @escaping (_ prefix: String) -> LoggedRule?
    ) throws(DatapathError) {
        try self.init(groups: groups, buffer: VerdictLogSocket.defaultBuffer, meaning: meaning)
    }

    /// Subscribes to groups, with a buffer of a number of bytes for each.
    convenience init(
        groups: [UInt16],
        buffer: Int32,
        meaning: @escaping (_ prefix: String) -> LoggedRule?
    ) throws(DatapathError) {
        do throws(DatapathError) {
            let sockets = try Self.open(groups, buffer, reportsConnections: true)
            self.init(sockets, hasConnections: true, meaning: meaning)
        } catch VerdictLogSocket.noConnections {
            let sockets = try Self.open(groups, buffer, reportsConnections: false)
            self.init(sockets, hasConnections: false, meaning: meaning)
        }
    }

    /// Takes sockets that are subscribed to groups.
    init(
        _ sockets: [Holder],
        hasConnections: Bool,
        maximumVerdicts: Int = VerdictLog.maximumVerdicts,
        meaning: @escaping (_ prefix: String) -> LoggedRule?
    ) {
        self.sockets = sockets
        self.hasConnections = hasConnections
        groups = sockets.map { $0.socket.group }
        rules = VerdictLogRules(capacity: Self.maximumPrefixes, meaning: meaning)
        table = VerdictLogTable(capacity: maximumVerdicts)
    }

    private static func open(
        _ groups: [UInt16],
        _ buffer: Int32,
        reportsConnections: Bool
    ) throws(DatapathError) -> [Holder] {
        do throws(DatapathError) {
            var sockets: [Holder] = []
            for group in groups {
                sockets.append(
                    Holder(try .open(group: group, buffer: buffer, reportsConnections: reportsConnections))
                )
            }
            return sockets
        } catch .system(_, EPROTONOSUPPORT, _) {
            throw VerdictLogSocket.unsupported
        }
    }

    /// Counts of logged packets so far.
    public var statistics: Statistics {
        var statistics = counts
        statistics.unknownPrefixes = rules.unknownPrefixes
        return statistics
    }

    // MARK: Reading

    /// Reads the packets that wait in the kernel, and waits for nothing.
    public func drain() {
        for holder in sockets {
            var receptions = 0
            while receptions < Self.maximumReceptions, receive(from: holder) { receptions += 1 }
        }
    }

    /// Reads one datagram; false if none waits.
    private func receive(from holder: Holder) -> Bool {
        switch holder.socket.receive(into: &buffer) {
        case .nothing: return false
        case .overrun: counts.overruns += 1
        case .datagram(let count): read(NetlinkBytes(buffer, count: count), from: holder)
        }
        return true
    }

    /// Takes the verdicts that were read since the last time.
    public func take() -> [LoggedVerdict] {
        let verdicts = table.take()
        counts.verdicts += UInt64(verdicts.count)
        return verdicts
    }

    /// Ends the subscription and reads everything that was logged before, including packets that the kernel still collected.
    public func finish() {
        for holder in sockets { holder.socket.unbind() }
        drain()
    }

    private func read(_ datagram: NetlinkBytes, from holder: Holder) {
        for message in datagram.messages {
            let (reading, sequence) = VerdictLogMessage.read(message, datagram)
            if let sequence { counts.lost += holder.socket.lost(before: sequence) }
            switch reading {
            case .other: continue
            case .unreadable: counts.unparsed += 1
            case .packet(let message): judge(message, datagram)
            }
            counts.packets += 1
        }
    }

    private func judge(_ message: VerdictLogMessage, _ datagram: NetlinkBytes) {
        guard let rule = rules.rule(datagram, message.prefix) else {
            counts.withoutVerdict += 1
            return
        }
        let packet = VerdictLogPacket.read(
            datagram,
            message.payload,
            isIPv4: message.isIPv4,
            fragments: &fragments
        )
        guard let packet else {
            counts.unparsed += 1
            return
        }
        let isKept = table.add(packet.tuple, rule, bytes: packet.bytes) {
            Self.connection(of: packet, message, datagram)
        }
        if isKept { counts.judged += 1 } else { counts.crowdedOut += 1 }
    }

    /// An ICMP message that is not a query carries the connection that it reports about, which is not its own.
    private static func connection(
        of packet: VerdictLogPacket,
        _ message: VerdictLogMessage,
        _ datagram: NetlinkBytes
    ) -> TrackedConnection? {
        guard !packet.isReport, let attributes = message.connection,
            let connection = ConntrackMessage.connection(datagram, attributes),
            connection.original.proto == packet.tuple.proto
        else { return nil }
        return connection
    }

    /// A reference to a socket, so that an array can contain it.
    final class Holder {
        var socket: VerdictLogSocket

        init(_ socket: consuming VerdictLogSocket) {
            self.socket = socket
        }
    }
}
