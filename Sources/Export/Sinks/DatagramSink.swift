import Glibc

/// Lines in UDP datagrams: as many whole lines as fit into one packet, never a part of a line.
///
/// Delivered means sent: nobody acknowledges. A datagram that the receiving host refuses is counted as dropped when the
/// refusal is known.
final class DatagramSink: Sink {
    /// The most bytes of several lines in one datagram: below every usual path MTU.
    static let packingLimit = 1400
    /// The most bytes of one line: the payload of the largest IPv4 datagram.
    static let lineLimit = 65_507

    let resumption = SinkResumption.wholeLine
    private var connector: SocketConnector

    /// Makes a sink that is not open.
    init(host: String, port: UInt16) {
        connector = SocketConnector(.port(host: host, port: port, type: SOCK_DGRAM))
    }

    func open() throws(SinkFailure) -> SinkProgress {
        try connector.advance()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        let (count, lines) = Self.datagram(from: bytes)
        guard count <= Self.lineLimit else { return .accepted(count, dropped: lines) }
        do throws(SystemError) {
            let sent = try connector.send(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
            return sent == nil ? .blocked : .accepted(count)
        } catch  where error.code == ECONNREFUSED || error.code == EMSGSIZE {
            return .accepted(count, dropped: lines)
        } catch {
            throw SinkFailure(error, .reopen)
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
