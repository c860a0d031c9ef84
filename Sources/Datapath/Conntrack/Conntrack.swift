import CWeir
public import FlowModel
import Glibc
import Synchronization

/// Looks connections up in the kernel's connection tracking: which end began, and how addresses were translated.
///
/// A program in the kernel (``ConntrackProgram``) looks up many at once, some hundred nanoseconds each. Connections that it
/// does not find, and all if it cannot be loaded, are requested by messages (ctnetlink), some microseconds each.
///
/// It covers the network namespace of the thread that creates it, and only zone 0, where all connections are unless a rule
/// sets another zone. It looks up TCP, UDP, SCTP and queries of ICMP and ICMPv6. Any thread may call it; calls are
/// serialized. Needs CAP_NET_ADMIN.
public final class Conntrack: ConnectionTracker, Sendable {
    /// Counts of lookups so far.
    public struct Statistics: Sendable, Hashable {
        /// Connections that were looked up.
        public var queries: UInt64 = 0
        /// Connections that the kernel found.
        public var found: UInt64 = 0
        /// Queries without an answer, or with an invalid one.
        public var failures: UInt64 = 0
        /// Connections that were not looked up, because earlier lookups had taken too long.
        public var skipped: UInt64 = 0

        /// Creates an empty value.
        public init() {}
    }

    fileprivate struct State: ~Copyable {
        var channel: NetlinkChannel
        /// Nil where it cannot be loaded.
        var program: ConntrackProgram?
        var request = NetlinkWriter()
        var statistics = Statistics()

        init(channel: consuming NetlinkChannel, program: consuming ConntrackProgram?) {
            self.channel = channel
            self.program = program
        }
    }

    private let state: Mutex<State>

    /// Opens a channel to connection tracking, and sends one request to check that it answers.
    ///
    /// - Throws: ``DatapathError/unsupportedKernel(feature:since:advice:)`` where the kernel has no ctnetlink, and cannot
    ///   load it by itself; ``DatapathError/missingPrivilege(capabilities:)`` without CAP_NET_ADMIN.
    public convenience init() throws(DatapathError) {
        try self.init(usesProgram: true)
    }

    /// Opens a channel to connection tracking; without `usesProgram` it uses messages only.
    package convenience init(usesProgram: Bool) throws(DatapathError) {
        let channel: NetlinkChannel
        do throws(DatapathError) {
            channel = try NetlinkChannel(family: NETLINK_NETFILTER)
        } catch {
            guard case .system(_, EPROTONOSUPPORT, _) = error else { throw error }
            throw Self.unsupported
        }
        var program: ConntrackProgram?
        if usesProgram { program = try? ConntrackProgram() }
        self.init(channel, program)
        try state.withLock { state throws(DatapathError) in try state.probe() }
    }

    /// Takes a channel that works.
    init(_ channel: consuming NetlinkChannel, _ program: consuming ConntrackProgram? = nil) {
        state = Mutex(State(channel: channel, program: program))
    }

    /// Whether a program looks connections up; else there are only messages.
    package var usesProgram: Bool {
        state.withLock { $0.hasProgram }
    }

    fileprivate static let unsupported = DatapathError.unsupportedKernel(
        feature: "connection tracking with lookups (ctnetlink)",
        since: "2.6.14",
        advice: "load the module nf_conntrack_netlink"
    )

    /// Counts of lookups so far.
    public var statistics: Statistics {
        state.withLock { $0.statistics }
    }

    /// The connection that packets with these addresses belong to; nil if none is known.
    ///
    /// The packets may be those of either end, before or after their addresses were translated.
    ///
    /// One request to the kernel, up to four if it finds nothing: the tuple as it is and reversed; for ICMP also with the
    /// reply's type, because flows have queries and replies under one type.
    public func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection? {
        state.withLock { $0.connection(of: packets) }
    }
}

extension Conntrack {
    /// The longest time that one call of ``connections(of:)`` may take.
    static let patience = Duration.milliseconds(500)

    /// The connections that packets with these addresses belong to, in the same order.
    ///
    /// The packets are those that one of the ends sends, before their addresses are translated: one lookup each, 256 with one
    /// system call, or 128 if there are only messages. After half a second in total the rest is not looked up
    /// (``Statistics/skipped``).
    ///
    /// - Returns: nil for connections that are not known, and for lookups without an answer.
    public func connections(of packets: [TrackedConnection.Tuple]) -> [TrackedConnection?] {
        connections(of: packets, until: .now + Self.patience)
    }

    /// Looks connections up until a deadline; the first batch for the program, and the first of messages, is always looked up.
    func connections(
        of packets: [TrackedConnection.Tuple],
        until deadline: ContinuousClock.Instant
    ) -> [TrackedConnection?] {
        state.withLock { $0.connections(of: packets, until: deadline) }
    }
}

extension Conntrack {
    /// Enters artificial connections into connection tracking, for measurements; they expire after an hour.
    ///
    /// - Returns: how many the kernel refused, for example because it has them already.
    package func insert(_ connections: [TrackedConnection]) -> Int {
        state.withLock { $0.insert(connections) }
    }
}

extension Conntrack.State {
    fileprivate mutating func insert(_ connections: [TrackedConnection]) -> Int {
        var refused = 0
        for start in stride(from: 0, to: connections.count, by: NetlinkChannel.maximumQuestions) {
            let some = connections[start..<min(start + NetlinkChannel.maximumQuestions, connections.count)]
            channel.ask(
                some.count,
                &request,
                append: { ConntrackMessage.appendNew(some[start + $0], to: &$1) },
                // The kernel answers only if it refuses the connection.
                take: { if case .failed = $1 { refused += 1 } }
            )
        }
        return refused
    }

    mutating func connections(
        of packets: [TrackedConnection.Tuple],
        until deadline: ContinuousClock.Instant
    ) -> [TrackedConnection?] {
        var connections = [TrackedConnection?](repeating: nil, count: packets.count)
        let asked = lookUp(packets, packets.indices.filter { packets[$0].isTracked }, until: deadline, &connections)
        for start in stride(from: 0, to: asked.count, by: NetlinkChannel.maximumQuestions) {
            guard start == 0 || ContinuousClock.now < deadline else {
                statistics.skipped += UInt64(asked.count - start)
                break
            }
            let numbers = asked[start..<min(start + NetlinkChannel.maximumQuestions, asked.count)]
            ask(packets, numbers, &connections)
        }
        return connections
    }

    fileprivate var hasProgram: Bool {
        switch program {
        case .some: true
        case .none: false
        }
    }

    /// Looks connections up with the program; returns those that have to be requested by messages.
    private mutating func lookUp(
        _ packets: [TrackedConnection.Tuple],
        _ asked: [Int],
        until deadline: ContinuousClock.Instant,
        _ connections: inout [TrackedConnection?]
    ) -> [Int] {
        guard hasProgram else { return asked }
        var unanswered: [Int] = []
        let size = ConntrackProgram.maximumQuestions
        for start in stride(from: 0, to: asked.count, by: size) {
            guard start == 0 || ContinuousClock.now < deadline else {
                statistics.skipped += UInt64(asked.count - start)
                break
            }
            let numbers = asked[start..<min(start + size, asked.count)]
            guard let outcome = program?.lookUp(packets, numbers, &connections) else { continue }
            statistics.queries += UInt64(outcome.answered)
            statistics.found += UInt64(outcome.found)
            unanswered += outcome.unanswered
        }
        return unanswered
    }

    /// Requests some of the connections by messages, with one send.
    private mutating func ask(
        _ packets: [TrackedConnection.Tuple],
        _ numbers: ArraySlice<Int>,
        _ connections: inout [TrackedConnection?]
    ) {
        var (found, failures) = (UInt64(0), UInt64(0))
        channel.ask(
            numbers.count,
            &request,
            append: { ConntrackMessage.append(packets[numbers[numbers.startIndex + $0]], to: &$1) },
            take: { number, answer in
                let index = numbers[numbers.startIndex + number]
                switch Self.finding(answer, for: packets[index]) {
                case .connection(let connection):
                    connections[index] = connection
                    found += 1
                case .nothing: break
                case .failure: failures += 1
                }
            }
        )
        statistics.queries += UInt64(numbers.count)
        statistics.found += found
        statistics.failures += failures
    }

    private enum Finding {
        case connection(TrackedConnection)
        case nothing
        case failure
    }

    fileprivate mutating func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection? {
        statistics.queries += 1
        guard packets.isTracked else { return nil }
        let finding = find(packets, orElse: packets.folded)
        switch finding {
        case .connection(let connection):
            statistics.found += 1
            return connection
        case .nothing: return nil
        case .failure:
            statistics.failures += 1
            return nil
        }
    }

    private mutating func find(
        _ packets: TrackedConnection.Tuple,
        orElse other: TrackedConnection.Tuple?
    ) -> Finding {
        var finding = ask(packets)
        // Packets behind a translation match the inverted tuple of the other direction.
        if case .nothing = finding { finding = ask(packets.inverted) }
        if case .nothing = finding, let other { finding = find(other, orElse: nil) }
        return finding
    }

    private mutating func ask(_ tuple: TrackedConnection.Tuple) -> Finding {
        ConntrackMessage.write(tuple, into: &request)
        return Self.finding(channel.ask(&request), for: tuple)
    }

    private static func finding(_ answer: NetlinkChannel.Answer, for tuple: TrackedConnection.Tuple) -> Finding {
        switch answer {
        case .failed(ENOENT): return .nothing
        case .failed, .lost: return .failure
        case .message(let type, let bytes, let body):
            guard let connection = ConntrackMessage.read(type: type, bytes, body),
                connection.original == tuple || connection.reply == tuple
            else { return .failure }
            return .connection(connection)
        }
    }

    /// Requests a connection that cannot exist.
    fileprivate mutating func probe() throws(DatapathError) {
        let nowhere = IPAddress(0, 0, 0, 0)
        let tuple = TrackedConnection.Tuple(
            source: nowhere,
            destination: nowhere,
            sourcePort: 0,
            destinationPort: 0,
            proto: .tcp
        )
        ConntrackMessage.write(tuple, into: &request)
        switch channel.ask(&request) {
        case .message, .failed(ENOENT): return
        case .failed(EPERM): throw .missingPrivilege(capabilities: ["CAP_NET_ADMIN"])
        case .lost: throw .system(operation: "query connection tracking", errno: ETIMEDOUT, advice: "")
        // The kernel has no such subsystem (EINVAL), or cannot load it (EOPNOTSUPP).
        case .failed: throw Conntrack.unsupported
        }
    }
}
