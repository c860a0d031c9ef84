import ClusterModel
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
    ///   - serverName: the name that the certificate should have; nil for the host of the address.
    ///   - hasOtherName: whether the certificate was refused because of its names.
    /// - Returns: the reason as text; nil if the server presented no certificate.
    static func fault(at address: ServerAddress, serverName: String?, hasOtherName: Bool) async -> String? {
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
        return shown.certificate.map {
            hasOtherName
                ? text(names: $0.names, expected: name) : text(from: $0.from, until: $0.until, at: Int64(time(nil)))
        }
    }

    /// Formats the reason for a certificate that was refused because of its names.
    ///
    /// - Parameters:
    ///   - names: the names and addresses of the certificate.
    ///   - expected: the required name.
    /// - Returns: the reason and the remedy.
    static func text(names: [String], expected: String) -> String {
        let listed = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
        let known = names.isEmpty ? "has no names" : "is for \(listed)"
        return
            "the server's certificate \(known), not for \(expected); use an address that it names, or set tls-server-name"
    }

    /// Formats the reason for a certificate that was refused for its validity or its signature, and the remedy.
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

/// The validity and the names of the certificate that a server presented.
private final class Shown: Sendable {
    private let found = Mutex<(from: Int64, until: Int64, names: [String])?>(nil)

    var certificate: (from: Int64, until: Int64, names: [String])? { found.withLock { $0 } }

    func take(_ certificates: [NIOSSLCertificate]) {
        guard let first = certificates.first else { return }
        let shown = (Int64(first.notValidBefore), Int64(first.notValidAfter), Self.names(first))
        found.withLock { $0 = shown }
    }

    /// Returns the DNS names and addresses of a certificate.
    private static func names(_ certificate: NIOSSLCertificate) -> [String] {
        certificate._subjectAlternativeNames().prefix(64).compactMap { name in
            let bytes = Array(name.contents)
            switch name.nameType {
            case .dnsName: return String(decoding: bytes.prefix(253), as: UTF8.self).printable
            case .ipAddress:
                let isLong = bytes.count == 16
                guard isLong || bytes.count == 4 else { return nil }
                var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
                guard inet_ntop(isLong ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else {
                    return nil
                }
                return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            default: return nil
            }
        }
    }
}

/// Closes the connection when the handshake has succeeded or failed.
private final class Closing: ChannelInboundHandler, Sendable {
    typealias InboundIn = NIOAny

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { context.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
