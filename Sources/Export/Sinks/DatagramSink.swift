import Glibc
import Posix

/// Lines in UDP datagrams: as many whole lines as fit into one packet, never a part of a line.
///
/// Delivered means sent: nobody acknowledges. That the receiving host refused a datagram, because nobody listens there,
/// is known with the send after it, and then counted.
final class DatagramSink: Sink {
    /// The most bytes of several lines in one datagram: below every usual path MTU.
    static let packingLimit = 1400
    /// The most bytes of one line: the payload of the largest IPv4 datagram.
    static let lineLimit = 65_507

    let resumption = SinkResumption.wholeLine
    private var connector: SocketConnector
    /// Lines of the datagram that was sent last.
    private var lastLines = 0
    /// Lines that were refused and are not counted yet.
    private var refusedLines = 0

    /// Makes a sink that is not open.
    init(host: String, port: UInt16) {
        connector = SocketConnector(.port(host: host, port: port, type: SOCK_DGRAM))
    }

    func open() throws(SinkFailure) -> SinkProgress {
        try connector.advance()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        let (count, lines) = Self.datagram(from: bytes)
        guard count <= Self.lineLimit else { return .accepted(count, drops: OutputDrops(tooLong: lines)) }
        do throws(SystemError) {
            guard try send(UnsafeRawBufferPointer(rebasing: bytes.prefix(count))) else { return .blocked }
            lastLines = lines
            // No more than these lines are: a batch loses no more records than it has.
            let refused = min(refusedLines, lines)
            refusedLines -= refused
            return .accepted(count, drops: OutputDrops(refused: refused))
        } catch  where error.code == ECONNREFUSED {
            return .accepted(count, drops: OutputDrops(refused: lines))
        } catch  where error.code == EMSGSIZE {
            return .accepted(count, drops: OutputDrops(tooLong: lines))
        } catch {
            throw SinkFailure(error, .reopen)
        }
    }

    /// Sends a datagram; false when the socket takes nothing now.
    private func send(_ datagram: UnsafeRawBufferPointer) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try connector.send(datagram) != nil
        } catch  where error.code == ECONNREFUSED {
            // It was the one before, and this one was not sent.
            refusedLines += lastLines
            lastLines = 0
            return try connector.send(datagram) != nil
        }
    }

    /// How many bytes make the next datagram, and how many lines these are.
    static func datagram(from bytes: UnsafeRawBufferPointer) -> (count: Int, lines: Int) {
        let newline = UInt8(ascii: "\n")
        var end = 0
        var lines = 0
        while let found = bytes[end...].firstIndex(of: newline), lines == 0 || found < packingLimit {
            end = found + 1
            lines += 1
        }
        return lines > 0 ? (end, lines) : (bytes.count, 1)
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        switch interest {
        case .opening, .writing: connector.pollEntry(Int32(POLLOUT))
        // A refusal would end every wait until the next send takes it.
        case .nothing, .hangUp: nil
        }
    }

    var hangUp: SinkFailure? { nil }

    func close(tornBytes: Int) {
        connector.reset()
    }
}
