import Glibc
import Posix

/// Sends lines in UDP datagrams: as many complete lines as fit into one packet.
///
/// Delivered means sent, because there are no acknowledgements. If no process listens on the receiving host, the next
/// send returns the refusal of the datagram before, which is counted then.
final class DatagramSink: Sink {
    /// The maximum size of several lines in one datagram, in bytes: below every usual path MTU.
    static let packingLimit = 1400
    /// The maximum size of one line, in bytes: the payload of the largest IPv4 datagram.
    static let lineLimit = 65_507

    let resumption = SinkResumption.wholeLine
    private var connector: SocketConnector
    /// The number of lines in the last datagram.
    private var lastLines = 0
    /// The number of refused lines that are not counted yet.
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
            // At most the number of these lines: a batch cannot drop more records than it has.
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

    /// Sends a datagram; false if the socket accepts nothing now.
    private func send(_ datagram: UnsafeRawBufferPointer) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try connector.send(datagram) != nil
        } catch  where error.code == ECONNREFUSED {
            // The refusal is that of the previous datagram; this one was not sent.
            refusedLines += lastLines
            lastLines = 0
            return try connector.send(datagram) != nil
        }
    }

    /// The size of the next datagram in bytes, and its number of lines.
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
        // A pending refusal would end every wait until the next send returns it.
        case .nothing, .hangUp: nil
        }
    }

    var hangUp: SinkFailure? { nil }

    func close(tornBytes: Int) {
        connector.reset()
    }
}
