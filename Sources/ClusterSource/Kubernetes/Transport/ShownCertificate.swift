import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// The certificate that a server shows, looked at because it was refused: which of the usual reasons applies.
enum ShownCertificate {
    /// Connects once more, looks at the certificate, and ends the handshake before anything is sent.
    ///
    /// - Parameters:
    ///   - address: the server.
    ///   - serverName: the name that the certificate should have; nil for the address's.
    /// - Returns: the fault in words; nil if none was shown.
    static func fault(at address: ServerAddress, serverName: String?) async -> String? {
        let shown = Shown()
        let configuration = TLSConfiguration.makeClientConfiguration()
        guard let context = try? NIOSSLContext(configuration: configuration) else { return nil }
        let name = serverName ?? address.host
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(3))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try NIOSSLClientHandler(
                        context: context,
                        serverHostname: isAddress ? nil : name
                    ) { certificates, verdict in
                        shown.take(certificates)
                        verdict.succeed(NIOSSLVerificationResult.failed)
                    }
                    try channel.pipeline.syncOperations.addHandlers(handler, Closing())
                }
            }
        guard let channel = try? await bootstrap.connect(host: address.host, port: address.port).get() else {
            return nil
        }
        let end = channel.eventLoop.scheduleTask(in: .seconds(3)) { channel.close(promise: nil) }
        try? await channel.closeFuture.get()
        end.cancel()
        return shown.validity.map { text(from: $0.from, until: $0.until, at: Int64(time(nil))) }
    }

    /// Says what is wrong with a certificate that was refused.
    ///
    /// - Parameters:
    ///   - from: the first second in which it is valid, Unix time.
    ///   - until: the last one.
    ///   - now: the time.
    /// - Returns: the fault and what to do.
    static func text(from: Int64, until: Int64, at now: Int64) -> String {
        if now > until { return "the server's certificate expired on \(date(until)); renew it, or check the clock" }
        if now < from { return "the server's certificate is not valid before \(date(from)); check the clock" }
        return "the server's certificate is not signed by the configured certificate authority;"
            + " check certificate-authority"
    }

    private static func date(_ seconds: Int64) -> String {
        var (time, parts) = (time_t(seconds), tm())
        guard gmtime_r(&time, &parts) != nil else { return "an unknown day" }
        let numbers = [parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday]
        return numbers.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: "-")
    }
}

/// When the certificate is valid that a server showed.
private final class Shown: Sendable {
    private let found = Mutex<(from: Int64, until: Int64)?>(nil)

    var validity: (from: Int64, until: Int64)? { found.withLock { $0 } }

    func take(_ certificates: [NIOSSLCertificate]) {
        guard let first = certificates.first else { return }
        let validity = (Int64(first.notValidBefore), Int64(first.notValidAfter))
        found.withLock { $0 = validity }
    }
}

/// Closes a connection when its handshake has ended, one way or the other.
private final class Closing: ChannelInboundHandler, Sendable {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { context.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
