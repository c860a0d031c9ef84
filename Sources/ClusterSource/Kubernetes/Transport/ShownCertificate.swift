import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Finds the reason why the certificate of a server was refused.
enum ShownCertificate {
    /// Connects again, reads the certificate, and ends the handshake before anything is sent.
    ///
    /// - Parameters:
    ///   - address: the server.
    ///   - serverName: the expected name of the certificate; nil for the host of the address.
    /// - Returns: the reason as text; nil if the server showed no certificate.
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

    /// The reason why a certificate was refused, and the remedy.
    ///
    /// - Parameters:
    ///   - from: the first second in which it is valid, Unix time.
    ///   - until: the last second in which it is valid, Unix time.
    ///   - now: the present time.
    /// - Returns: the text for the message.
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

/// The validity of the certificate that the server showed.
private final class Shown: Sendable {
    private let found = Mutex<(from: Int64, until: Int64)?>(nil)

    var validity: (from: Int64, until: Int64)? { found.withLock { $0 } }

    func take(_ certificates: [NIOSSLCertificate]) {
        guard let first = certificates.first else { return }
        let validity = (Int64(first.notValidBefore), Int64(first.notValidAfter))
        found.withLock { $0 = validity }
    }
}

/// Closes the connection when the handshake has succeeded or failed.
private final class Closing: ChannelInboundHandler, Sendable {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { context.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
