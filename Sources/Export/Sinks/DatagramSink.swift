import Glibc
import Posix

/// Sends lines in UDP datagrams: as many complete lines as fit into one packet.
///
/// A line counts as delivered when it is sent, because there are no acknowledgements, unless an error is received; see
/// ``DatagramPath``.
final class DatagramSink: Sink {
    /// The maximum size of several lines in one datagram, in bytes: below every usual path MTU.
    static let packingLimit = 1400
    /// The maximum size of one line, in bytes: the payload of the largest IPv4 datagram.
    static let lineLimit = 65_507

    let resumption = SinkResumption.wholeLine
    let isOpenWhenWritten = true
    private var datagrams: DatagramPath

    /// Creates a sink that is not open.
    init(_ path: consuming DatagramPath) {
        datagrams = path
    }

    func open() throws(SinkFailure) -> SinkProgress { try datagrams.open() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        let (count, lines) = Self.datagram(from: bytes)
        guard count <= Self.lineLimit else { return .accepted(count, drops: OutputDrops(tooLong: lines)) }
        return switch try datagrams.send(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), lines: lines) {
        case .sent: .accepted(count)
        case .tooLong: .accepted(count, drops: OutputDrops(tooLong: lines))
        case .blocked: .blocked
        }
    }

    /// Returns the size of the next datagram in bytes, and its number of lines.
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

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? { datagrams.pollEntry(for: interest) }

    func hangUp() -> SinkFailure? { datagrams.takeErrors() }

    func takeLost() -> OutputDrops { datagrams.takeLost() }

    func close(tornBytes: Int) { datagrams.close() }
}
