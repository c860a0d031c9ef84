import Glibc
import Posix

/// Sends records as syslog messages, one datagram each (RFC 5426).
///
/// There are no acknowledgements: a record counts as delivered when the kernel has the message.
final class SyslogDatagramSink: Sink {
    /// The payload of the largest IPv4 datagram.
    private static let datagramLimit = 65_507

    let resumption = SinkResumption.wholeLine
    private let message: SyslogMessage
    private var connector: SocketConnector
    /// The number of refused messages that are not counted yet.
    private var refused = 0

    /// Makes a sink that is not connected.
    init(host: String, port: UInt16, _ options: OutputOptions) {
        message = SyslogMessage(content: options.syslogContent, host: options.http.hostName)
        connector = SocketConnector(.port(host: host, port: port, type: SOCK_DGRAM))
    }

    func open() throws(SinkFailure) -> SinkProgress { try connector.advance() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let count = min(end + 1, bytes.count)
        guard let datagram = message.bytes(of: Array(bytes[..<end])[...], limit: Self.datagramLimit) else {
            return .accepted(count, drops: OutputDrops(tooLong: 1))
        }
        do throws(SystemError) {
            let isSent = try datagram.withUnsafeBufferPointer { bytes throws(SystemError) in
                try connector.send(UnsafeRawBufferPointer(bytes)) != nil
            }
            guard isSent else { return .blocked }
            defer { refused = 0 }
            return .accepted(count, drops: OutputDrops(refused: min(refused, 1)))
        } catch  where error.code == EMSGSIZE {
            return .accepted(count, drops: OutputDrops(tooLong: 1))
        } catch  where error.code == ECONNREFUSED {
            // The refusal is that of the previous message; this one was not sent.
            refused = 1
            return .blocked
        } catch {
            throw SinkFailure(error, .reopen)
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        interest == .opening || interest == .writing ? connector.pollEntry(Int32(POLLOUT)) : nil
    }

    var hangUp: SinkFailure? { nil }

    func close(tornBytes: Int) { connector.reset() }
}
