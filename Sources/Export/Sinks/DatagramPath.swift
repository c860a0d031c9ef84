import Glibc
import Posix

/// A UDP socket that reads errors for its datagrams: from ICMP messages, and from filters of this host.
///
/// After an error, one datagram is sent at a time until one of them has caused no error for some seconds. A datagram for
/// which an error came is sent again; those that were sent before the error came, and cannot be, are counted.
struct DatagramPath: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    /// Whether datagrams count as arriving.
    private enum State {
        case arriving
        case failing
        /// A datagram was sent, and no error has come for it so far.
        case trying(since: Instant)
    }

    /// The outcome of a datagram.
    enum Outcome {
        /// The datagram was sent, and no error has come.
        case sent
        /// The datagram is too long for any packet.
        case tooLong
        /// The socket takes nothing now.
        case blocked
    }

    private var connector: SocketConnector
    private var isConnected = false
    private var state = State.arriving
    private var sent = SentDatagrams()
    /// Lines that were sent, did not arrive as far as known, and were not taken yet.
    private var lost = OutputDrops()
    private let leastSettling: Duration
    /// The time without an error after which a datagram counts as received; it grows each time that an error came soon after.
    private var settling: Duration
    private var arrivingSince: Instant?

    /// Makes a path without a socket.
    ///
    /// - Parameters:
    ///   - host: the receiver.
    ///   - port: its port.
    ///   - settling: for how long no error must come until datagrams count as arriving again.
    init(host: String, port: UInt16, settling: Duration = SentDatagrams.memory) {
        connector = SocketConnector(.port(host: host, port: port, type: SOCK_DGRAM))
        leastSettling = settling
        self.settling = settling
    }

    /// Starts or continues to look the host up and to make a socket.
    mutating func open() throws(SinkFailure) -> SinkProgress {
        do throws(SinkFailure) {
            let progress = try connector.advance()
            isConnected = progress == .ready
            return progress
        } catch {
            state = .failing
            connector.reset()
            throw error
        }
    }

    /// Sends a datagram of lines; while errors come, the same one again until none came for it.
    ///
    /// - Throws: why nothing arrives, or that this is not known yet; the datagram is to be given again.
    mutating func send(_ datagram: UnsafeRawBufferPointer, lines: Int) throws(SinkFailure) -> Outcome {
        if !isConnected { guard try open() == .ready else { return .blocked } }
        switch state {
        case .arriving:
            let outcome = try transmit(datagram)
            if case .sent = outcome { sent.add(datagram, lines: lines, at: .now) }
            return outcome
        case .failing:
            let outcome = try transmit(datagram)
            guard case .sent = outcome else { return outcome }
            state = .trying(since: .now)
            throw SinkFailure("no error has come since the last try", .retry, pause: settling)
        case .trying(let since):
            if let failure = takeErrors() { throw failure }
            guard case .trying = state else { return .blocked }
            let rest = settling - (.now - since)
            guard rest <= .zero else { throw SinkFailure("no error has come since the last try", .retry, pause: rest) }
            (state, arrivingSince) = (.arriving, .now)
            return .sent
        }
    }

    private mutating func transmit(_ datagram: UnsafeRawBufferPointer) throws(SinkFailure) -> Outcome {
        do throws(SystemError) {
            return try connector.send(datagram) == nil ? .blocked : .sent
        } catch {
            // Most errors are those of datagrams before; this one was not sent.
            if let failure = takeErrors() { throw failure }
            switch error.code {
            case EMSGSIZE: return .tooLong
            case ENOBUFS: throw SinkFailure(error, .retry)
            default: throw fail(error.code, error.description)
            }
        }
    }

    /// Takes the errors that came back; the failure that they mean, nil for none.
    mutating func takeErrors() -> SinkFailure? {
        var failure: Int32?
        var isProhibited = false
        while let error = connector.takeError() {
            guard error.code != EMSGSIZE else {
                lost.tooLong += sent.take(error.quoted)
                // The one that was tried did not arrive; the next fits, or is fragmented.
                if case .trying = state { state = .failing }
                continue
            }
            failure = failure ?? error.code
            isProhibited = isProhibited || error.isProhibited
            // A receiver that answers got what came before; a neighbour or router may have been gone for seconds.
            let isAnswer = error.code == ECONNREFUSED
            lost.refused += sent.takeAll(from: isAnswer ? error.quoted : nil, at: .now)
        }
        if failure == nil, let code = connector.takePendingError(), code != EMSGSIZE {
            failure = code
            lost.refused += sent.takeAll(from: nil, at: .now)
        }
        guard let failure else { return nil }
        let text = String(cString: strerror(failure))
        return fail(failure, "an answer of the network: \(text)" + (isProhibited ? ": a filter rejects it" : ""))
    }

    private mutating func fail(_ code: Int32, _ reason: String) -> SinkFailure {
        if let arrivingSince, .now - arrivingSince < settling * 4 {
            settling = min(settling * 2, leastSettling * 16)
        } else if arrivingSince != nil {
            settling = leastSettling
        }
        (state, arrivingSince) = (.failing, nil)
        // The host may have another address by now.
        connector.reset()
        isConnected = false
        return SinkFailure(reason + Self.hint(code), .retry)
    }

    private static func hint(_ code: Int32) -> String {
        switch code {
        case EPERM, EACCES: ": a filter of this host (nftables, iptables) drops it"
        case ECONNREFUSED: ": no process listens there"
        default: ""
        }
    }

    /// Takes the lines that did not arrive, as far as known, since the last call.
    mutating func takeLost() -> OutputDrops {
        defer { lost = OutputDrops() }
        return lost
    }

    /// The descriptor to poll.
    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        switch interest {
        case .opening, .writing: connector.pollEntry(Int32(POLLOUT))
        case .hangUp: connector.pollEntry(0)
        case .nothing: nil
        }
    }

    /// Closes the socket; what errors have come until now is counted.
    mutating func close() {
        _ = takeErrors()
        connector.reset()
        isConnected = false
    }
}
