import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A reader of lines over TLS, on loopback.
final class TLSReaderStub: Sendable {
    private let received: Received
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel

    /// The received data.
    private final class Received: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    /// Listens.
    init(_ tls: TLSConfiguration) throws {
        let received = Received()
        self.received = received
        let context = try NIOSSLContext(configuration: tls)
        channel = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = NIOSSLServerHandler(context: context)
                    try channel.pipeline.syncOperations.addHandlers(handler, Reader(received))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .wait()
        port = UInt16(channel.localAddress?.port ?? 0)
    }

    /// The port.
    let port: UInt16

    /// The bytes so far.
    var bytes: [UInt8] { received.bytes.withLock { $0 } }

    /// Stops it.
    func stop() {
        try? channel.close().wait()
        group.shutdownGracefully { _ in }
    }

    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let received: Received

        init(_ received: Received) {
            self.received = received
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let part = unwrapInboundIn(data)
            received.bytes.withLock { $0 += part.readableBytesView }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

extension TestCertificates {
    /// Returns the configuration of a server that presents a kind of certificate.
    func server(_ kind: Kind) throws -> TLSConfiguration {
        TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate(kind)).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        )
    }
}
