import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A server on loopback with scripted answers, some of them malformed.
final class HTTPServerStub: Sendable {
    /// A received request.
    struct Request: Sendable {
        var method = ""
        var path: String
        var headers: [String: String]
        var body: [UInt8]

        /// The lines of the body, unpacked.
        var lines: [String] {
            let plain = headers["content-encoding"] == "gzip" ? HTTPServerStub.gunzip(body) : body
            return String(decoding: plain, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    /// The server's reaction to a request.
    enum Answer: Sendable {
        /// A whole answer.
        case respond(Int, String = "", headers: [(String, String)] = [])
        /// Announces 1,000 bytes, sends some, and closes.
        case cut(Int)
        /// A whole answer, a byte at a time, with this pause in milliseconds before each.
        case trickle(Int, String, pause: Int64)
        /// Closes without an answer.
        case close
        /// Sends nothing, and holds the connection open.
        case silence
        /// Bytes that are not HTTP.
        case garbage

        /// Whether the client's time limit ends the exchange.
        var isEndless: Bool {
            switch self {
            case .silence, .trickle: true
            case .respond, .cut, .close, .garbage: false
            }
        }
    }

    private struct State {
        var requests: [Request] = []
        var answers: [Answer] = []
        var standing: @Sendable (Request) -> Answer
    }

    private let state: Mutex<State>
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel

    /// Starts a server that gives the answers in their order, then the last one again and again.
    convenience init(_ answers: [Answer], then standing: Answer = .respond(200), port: Int = 0) throws {
        try self.init(answers, port: port) { _ in standing }
    }

    /// Starts a server that gives the listed answers, and then those that a function returns.
    ///
    /// With a TLS configuration it serves TLS.
    init(
        _ answers: [Answer] = [],
        port: Int = 0,
        host: String = "127.0.0.1",
        tls: TLSConfiguration? = nil,
        respond: @escaping @Sendable (Request) -> Answer
    ) throws {
        state = Mutex(State(answers: answers, standing: respond))
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let box = Box()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withPipeliningAssistance: false,
                        withErrorHandling: false
                    )
                    try channel.pipeline.syncOperations.addHandler(Handler { box.server?.answer($0) ?? .close })
                }
            }
        channel = try bootstrap.bind(host: host, port: port).wait()
        self.port = channel.localAddress?.port ?? 0
        box.server = self
    }

    /// The server's port.
    let port: Int

    /// The server's address.
    var url: String { "http://127.0.0.1:\(port)" }

    /// The requests so far.
    var requests: [Request] { state.withLock { $0.requests } }

    /// Stops the server.
    func stop() {
        try? channel.close().wait()
        group.shutdownGracefully { _ in }
    }

    private func answer(_ request: Request) -> Answer {
        state.withLock { state in
            state.requests.append(request)
            return state.answers.isEmpty ? state.standing(request) : state.answers.removeFirst()
        }
    }

    /// Unpacks a gzip stream with the program gzip.
    static func gunzip(_ bytes: [UInt8]) -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/gzip")
        process.arguments = ["-dc"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        guard (try? process.run()) != nil else { return [] }
        DispatchQueue.global().async {
            input.fileHandleForWriting.write(Data(bytes))
            try? input.fileHandleForWriting.close()
        }
        let plain = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Array(plain)
    }

    /// The server that a connection belongs to; set before anything connects.
    private final class Box: @unchecked Sendable {
        weak var server: HTTPServerStub?
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let respond: @Sendable (Request) -> Answer
        private var request = Request(path: "", headers: [:], body: [])

        init(_ respond: @escaping @Sendable (Request) -> Answer) {
            self.respond = respond
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                let headers = Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
                request = Request(method: head.method.rawValue, path: head.uri, headers: headers, body: [])
            case .body(let part): request.body += part.readableBytesView
            case .end: perform(respond(request), context)
            }
        }

        private func perform(_ answer: Answer, _ context: ChannelHandlerContext) {
            switch answer {
            case .silence: break
            case .close: context.close(promise: nil)
            case .garbage:
                // A body without a head goes out as it is.
                let text = ByteBuffer(string: "220 mail ESMTP\r\n\r\n")
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(text))), promise: nil)
                context.close(promise: nil)
            case .cut(let status):
                head(status, [("content-length", "1000")], context)
                context.writeAndFlush(
                    wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{\"errors\":fal")))),
                    promise: nil
                )
                context.close(promise: nil)
            case .trickle(let status, let body, let pause):
                head(status, [("content-length", "\(body.utf8.count)")], context)
                context.flush()
                trickle(Array(body.utf8)[...], pause, context)
            case .respond(let status, let body, let headers):
                head(status, headers + [("content-length", "\(body.utf8.count)")], context)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }

        private func trickle(_ rest: ArraySlice<UInt8>, _ pause: Int64, _ context: ChannelHandlerContext) {
            guard let byte = rest.first else {
                return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pause)) { [self] in
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: [byte])))), promise: nil)
                trickle(rest.dropFirst(), pause, context)
            }
        }

        private func head(_ status: Int, _ headers: [(String, String)], _ context: ChannelHandlerContext) {
            let head = HTTPResponseHead(
                version: .http1_1,
                status: HTTPResponseStatus(statusCode: status),
                headers: HTTPHeaders(headers)
            )
            context.write(wrapOutboundOut(.head(head)), promise: nil)
        }
    }
}
