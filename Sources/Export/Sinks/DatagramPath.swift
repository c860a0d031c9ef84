import Glibc
import Posix

/// A UDP socket that reads the errors for its datagrams, from ICMP messages and from filters of this host.
///
/// After an error, one datagram is sent at a time until one has caused no error for some seconds. A datagram with an error is
/// sent again. Datagrams that were sent before the error and cannot be repeated are counted as lost.
struct DatagramPath: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    /// Whether datagrams count as arriving.
    private enum State {
        case arriving
        case failing
        /// A datagram was sent, and there was no error for it so far.
        case trying(since: Instant)
    }

    /// The outcome of a datagram.
    enum Outcome {
        /// The datagram was sent, and there was no error so far.
        case sent
        /// The datagram is too long for any packet.
        case tooLong
        /// The socket accepts no datagrams now.
        case blocked
    }

    private var connector: SocketConnector
    private var isConnected = false
    private var state = State.arriving
    private var sent = SentDatagrams()
    /// Lost lines, as far as known, since they were last taken.
    private var lost = OutputDrops()
    private let leastSettling: Duration
    /// The time without an error after which a datagram counts as received; it increases whenever an error follows soon after.
    private var settling: Duration
    private var arrivingSince: Instant?

    /// Creates a path without a socket.
    ///
    /// - Parameters:
    ///   - host: the receiver.
    ///   - port: the receiver's port.
    ///   - settling: the time without errors after which datagrams count as arriving again.
    init(host: String, port: UInt16, settling: Duration = SentDatagrams.memory) {
        connector = SocketConnector(.port(host: host, port: port, type: SOCK_DGRAM))
        leastSettling = settling
        self.settling = settling
    }

    /// Starts or continues to resolve the host and create a socket.
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

    /// Sends a datagram of lines; after an error, the caller repeats it until there is no error for it.
    ///
    /// - Throws: the reason why datagrams do not arrive, or that this is not known yet; the caller must send the datagram
    ///   again.
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
            // Most errors are for earlier datagrams; this one was not sent.
            if let failure = takeErrors() { throw failure }
            switch error.code {
            case EMSGSIZE: return .tooLong
            case ENOBUFS: throw SinkFailure(error, .retry)
            default: throw fail(error.code, error.description)
            }
        }
    }

    /// Reads the errors that were received; returns the failure that they mean, nil for none.
    mutating func takeErrors() -> SinkFailure? {
        var failure: Int32?
        var isProhibited = false
        while let error = connector.takeError() {
            guard error.code != EMSGSIZE else {
                lost.tooLong += sent.take(error.quoted)
                // The tried datagram did not arrive; the next one fits, or is fragmented.
                if case .trying = state { state = .failing }
                continue
            }
            failure = failure ?? error.code
            isProhibited = isProhibited || error.isProhibited
            // A receiver that sends an error got the earlier datagrams; a neighbour or router may have been gone for seconds.
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
        // The host may have another address now.
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

    /// Returns and resets the number of lost lines, as far as known.
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

    /// Closes the socket; errors that were received until now are counted.
    mutating func close() {
        _ = takeErrors()
        connector.reset()
        isConnected = false
    }
}
