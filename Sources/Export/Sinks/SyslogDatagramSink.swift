import Glibc
import Posix

/// Sends records as syslog messages, one datagram each (RFC 5426).
///
/// There are no acknowledgements: a record counts as delivered when the kernel has the message and no error was received for
/// it; see ``DatagramPath``.
final class SyslogDatagramSink: Sink {
    let resumption = SinkResumption.wholeLine
    let isOpenWhenWritten = true
    private let message: SyslogMessage
    private var datagrams: DatagramPath

    /// Creates a sink that is not connected.
    init(_ path: consuming DatagramPath, _ options: OutputOptions) {
        message = SyslogMessage(content: options.syslogContent, host: options.http.hostName)
        datagrams = path
    }

    func open() throws(SinkFailure) -> SinkProgress { try datagrams.open() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let count = min(end + 1, bytes.count)
        guard let datagram = message.bytes(of: Array(bytes[..<end])[...], limit: DatagramSink.lineLimit) else {
            return .accepted(count, drops: OutputDrops(tooLong: 1))
        }
        let outcome = try datagram.withUnsafeBufferPointer { bytes throws(SinkFailure) in
            try datagrams.send(UnsafeRawBufferPointer(bytes), lines: 1)
        }
        return switch outcome {
        case .sent: .accepted(count)
        case .tooLong: .accepted(count, drops: OutputDrops(tooLong: 1))
        case .blocked: .blocked
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? { datagrams.pollEntry(for: interest) }

    func hangUp() -> SinkFailure? { datagrams.takeErrors() }

    func takeLost() -> OutputDrops { datagrams.takeLost() }

    func close(tornBytes: Int) { datagrams.close() }
}
