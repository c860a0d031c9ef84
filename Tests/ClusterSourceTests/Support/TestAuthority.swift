import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import ClusterSource

/// A certificate authority, made by openssl in a folder: `ca.crt`, and the certificates that it signs.
struct TestAuthority: Sendable {
    let folder: TemporaryFolder
    private let name: String

    var certificate: String { folder.path + "/\(name).crt" }

    /// Makes the authority.
    init(in folder: TemporaryFolder, name: String = "ca") throws {
        self.folder = folder
        self.name = name
        try Self.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=\(name)"
                + " -keyout \(name).key -out \(name).crt",
            in: folder
        )
    }

    /// Makes a key with these openssl arguments, and a certificate for it and these names: `NAME.crt` and `NAME.key`.
    func sign(
        _ name: String,
        key: String = "ec -pkeyopt ec_paramgen_curve:prime256v1",
        names: String = "IP:127.0.0.1",
        days: Int = 2
    ) throws {
        try folder.write("subjectAltName=\(names)\n", to: name + ".ext")
        try Self.openssl("req -newkey \(key) -nodes -subj /CN=\(name) -keyout \(name).key -out \(name).csr", in: folder)
        try Self.openssl(
            "x509 -req -in \(name).csr -CA \(self.name).crt -CAkey \(self.name).key -CAcreateserial -days \(days)"
                + " -out \(name).crt -extfile \(name).ext",
            in: folder
        )
    }

    static func openssl(_ arguments: String, in folder: TemporaryFolder) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw OpenSSLError(arguments: arguments) }
    }

    struct OpenSSLError: Error {
        var arguments: String
    }
}

/// Speaks TLS in front of a scripted server.
final class TLSFront: Sendable {
    let port: Int
    private let channel: any Channel

    /// Begins to listen; clients must have a certificate of an authority, if one is given.
    init(to server: ScriptedServer, certificate: String, key: String, clients: String? = nil) async throws {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        )
        configuration.applicationProtocols = ["http/1.1"]
        if let clients {
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(clients))
            configuration.certificateVerification = .noHostnameVerification
        }
        let context = try NIOSSLContext(configuration: configuration)
        let port = Int(server.port)
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try channel.pipeline.syncOperations.addHandler(Relay(port: port))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = channel.localAddress?.port ?? 0
    }

    func stop() async {
        try? await channel.close()
    }
}

/// Forwards received bytes to a connection of its own, and back.
private final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let port: Int
    private var other: (any Channel)?
    private var waiting: [ByteBuffer] = []

    init(port: Int) {
        self.port = port
    }

    func channelActive(context: ChannelHandlerContext) {
        let back = context.channel
        let this = NIOLoopBound(self, eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Back(to: back))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .whenComplete { result in
                guard case .success(let channel) = result else {
                    back.close(promise: nil)
                    return
                }
                this.value.other = channel
                for buffer in this.value.waiting { channel.writeAndFlush(buffer, promise: nil) }
                this.value.waiting = []
            }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if let other { other.writeAndFlush(buffer, promise: nil) } else { waiting.append(buffer) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        other?.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// The return direction of a relay.
private final class Back: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let to: any Channel

    init(to: any Channel) {
        self.to = to
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        to.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        to.close(promise: nil)
    }
}
