import AsyncHTTPClient
import Foundation
import Glibc
import Hummingbird
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Server

@Suite(.serialized) struct HTTPServerTests {
    private struct Echo: RouteProvider {
        func addRoutes(to router: ServerRouter) {
            router.get("/debug/echo") { request, context in "\(context.isLocal) \(request.uri.path)\n" }
            router.post("/debug/length") { request, context in
                let body = try await request.body.collect(upTo: context.maxUploadSize)
                return "\(body.readableBytes)\n"
            }
        }
    }

    /// A response without an end.
    private struct Endless: RouteProvider {
        /// Receives a value when the response has failed.
        let ends: AsyncStream<Void>.Continuation

        func addRoutes(to router: ServerRouter) {
            router.get("/debug/endless") { _, _ in
                Response(
                    status: .ok,
                    body: ResponseBody { writer in
                        defer { ends.yield() }
                        while true { try await writer.write(ByteBuffer(repeating: 0x61, count: 1 << 20)) }
                    }
                )
            }
        }
    }

    private static func configuration(
        _ change: (inout HTTPServerConfiguration) -> Void = { _ in }
    ) -> HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.address = ListenAddress(host: "127.0.0.1", port: 0)
        configuration.isAddressRequired = true
        configuration.isSocketRequired = true
        change(&configuration)
        return configuration
    }

    private static func health(missing: [String] = []) -> HealthRoutes {
        HealthRoutes(ailments: { [] }, missing: { missing })
    }

    @Test func answersProbes() async throws {
        let server = try await HTTPServer(
            Self.configuration(),
            routes: [Self.health(missing: ["not attached yet", "inventory: pods are not known"])],
            logger: QuietLog().logger
        )
        defer { server.stop() }
        let port = try #require(server.port)
        let health = try await ask("http://127.0.0.1:\(port)/healthz")
        #expect(health.status == 200 && health.body == "ok\n")
        let ready = try await ask("http://127.0.0.1:\(port)/readyz")
        #expect(ready.status == 503 && ready.body == "not attached yet\ninventory: pods are not known\n")
        let head = try await ask("http://127.0.0.1:\(port)/healthz", method: "HEAD")
        #expect(head.status == 200)
        #expect(try await ask("http://127.0.0.1:\(port)/nothing").status == 404)
    }

    @Test func portInUseIsErrorOrWarning() async throws {
        let first = try await HTTPServer(Self.configuration(), routes: [Self.health()], logger: QuietLog().logger)
        defer { first.stop() }
        let port = try #require(first.port)
        var taken = Self.configuration { $0.address = ListenAddress(host: "127.0.0.1", port: UInt16(port)) }
        let error = await #expect(throws: ServerError.self) {
            try await HTTPServer(taken, routes: [], logger: QuietLog().logger)
        }
        #expect(
            "\(try #require(error))".hasPrefix("cannot answer HTTP on http://127.0.0.1:\(port): Address already in use")
        )
        taken.isAddressRequired = false
        let log = QuietLog()
        let second = try await HTTPServer(taken, routes: [], logger: log.logger)
        defer { second.stop() }
        #expect(second.places.isEmpty)
        #expect(log.text.contains("warning cannot answer HTTP on http://127.0.0.1:\(port)"))
    }

    @Test func requiresTokenOverTCPAndReloadsIt() async throws {
        let folder = try TestFolder()
        let path = try folder.write("token", "0123456789abcdef-one\n")
        let server = try await HTTPServer(
            Self.configuration {
                $0.tokenPath = path
                $0.socketPath = folder.path + "/weir.sock"
            },
            routes: [Self.health(), Echo()],
            logger: QuietLog().logger
        )
        defer { server.stop() }
        let base = "http://127.0.0.1:\(try #require(server.port))"
        for wrong in [
            [], [("Authorization", "Bearer 0123456789abcdef-onf")], [("Authorization", "Basic 0123456789abcdef-one")],
        ] {
            let answer = try await ask(base + "/debug/echo", wrong)
            #expect(answer.status == 401 && answer.headers["www-authenticate"] == ["Bearer"])
        }
        let right = try await ask(base + "/debug/echo", [("Authorization", "Bearer 0123456789abcdef-one")])
        #expect(right.status == 200 && right.body == "false /debug/echo\n")
        #expect(try await ask(base + "/healthz").status == 200)
        // Paths that resemble those of probes require the token, too.
        for path in [
            "/healthz/../debug/echo", "//healthz/../debug/echo", "/debug/echo?/healthz", "/healthz%2f..%2fdebug/echo",
        ] {
            #expect(try await ask(base + path).status != 200, "\(path)")
        }
        let local = try await ask(url(socket: folder.path + "/weir.sock", "/debug/echo"))
        #expect(local.status == 200 && local.body == "true /debug/echo\n")
        _ = try folder.write("token", "0123456789abcdef-two\n")
        let deadline = ContinuousClock.now + .seconds(10)
        var status = 0
        while status != 200, ContinuousClock.now < deadline {
            status = try await ask(base + "/debug/echo", [("Authorization", "Bearer 0123456789abcdef-two")]).status
        }
        #expect(status == 200)
        #expect(try await ask(base + "/debug/echo", [("Authorization", "Bearer 0123456789abcdef-one")]).status == 401)
    }

    @Test func rejectsWorldReadableOrShortToken() async throws {
        let folder = try TestFolder()
        let path = try folder.write("token", "0123456789abcdef\n", mode: 0o644)
        let error = await #expect(throws: ServerError.self) {
            try await HTTPServer(Self.configuration { $0.tokenPath = path }, routes: [], logger: QuietLog().logger)
        }
        #expect("\(try #require(error))" == "\(path): everybody may read it, and it holds a secret; chmod 0600 it")
        let short = try folder.write("short", "abc\n")
        await #expect(throws: ServerError.self) {
            try await HTTPServer(Self.configuration { $0.tokenPath = short }, routes: [], logger: QuietLog().logger)
        }
    }

    @Test func restrictsSocketToGroupAndRejectsSecondServer() async throws {
        let folder = try TestFolder()
        let path = folder.path + "/run/weir.sock"
        let configuration = Self.configuration {
            $0.address = nil
            $0.socketPath = path
        }
        let first = try await HTTPServer(configuration, routes: [Self.health()], logger: QuietLog().logger)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
        #expect(stat(folder.path + "/run", &status) == 0 && status.st_mode & 0o777 == 0o750)
        #expect(try await ask(url(socket: path, "/healthz")).status == 200)
        await #expect(throws: ServerError.self) {
            try await HTTPServer(configuration, routes: [], logger: QuietLog().logger)
        }
        #expect(try await ask(url(socket: path, "/healthz")).status == 200)
        first.stop()
        #expect(access(path, F_OK) == -1)
    }

    /// At its end, the server does not remove a file that has replaced its socket.
    @Test func doesNotRemoveFileInPlaceOfSocket() async throws {
        let folder = try TestFolder()
        let path = folder.path + "/weir.sock"
        let server = try await HTTPServer(
            Self.configuration {
                $0.address = nil
                $0.socketPath = path
            },
            routes: [],
            logger: QuietLog().logger
        )
        // The socket is moved, not removed: the new file could get its inode number.
        try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
        _ = try folder.write("weir.sock", "another's")
        server.stop()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "another's")
    }

    @Test func replacesStaleSocketButNoOtherFile() async throws {
        let folder = try TestFolder()
        let path = folder.path + "/weir.sock"
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        close(descriptor)
        let configuration = Self.configuration {
            $0.address = nil
            $0.socketPath = path
        }
        let server = try await HTTPServer(configuration, routes: [Self.health()], logger: QuietLog().logger)
        #expect(try await ask(url(socket: path, "/healthz")).status == 200)
        server.stop()
        let file = try folder.write("file", "mine")
        await #expect(throws: ServerError.self) {
            try await HTTPServer(
                Self.configuration {
                    $0.address = nil
                    $0.socketPath = file
                },
                routes: [],
                logger: QuietLog().logger
            )
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    }

    /// The HTTP library once ended the process if a client connected while the server stopped.
    @Test func survivesConnectionsDuringStop() async throws {
        for _ in 0..<30 {
            let server = try await HTTPServer(Self.configuration(), routes: [Self.health()], logger: QuietLog().logger)
            let port = UInt16(try #require(server.port))
            #expect(try await ask("http://127.0.0.1:\(port)/healthz").status == 200)
            let end = await withCheckedContinuation { continuation in
                let client = Thread { continuation.resume(returning: Self.connectUntilRefused(port, 200_000)) }
                client.start()
                server.stop()
            }
            #expect(end == ECONNREFUSED)
        }
    }

    /// Connects again and again until that fails; returns the error, or 0 if it never fails.
    private static func connectUntilRefused(_ port: UInt16, _ attempts: Int) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        for _ in 0..<attempts {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result < 0 else { continue }
            switch errno {
            case ECONNRESET: break
            // The connections that were closed hold all ports of this host for a while.
            case EADDRNOTAVAIL: usleep(1_000)
            case let code: return code
            }
        }
        return 0
    }

    @Test func limitsMethodsHeadersAndBodies() async throws {
        let server = try await HTTPServer(
            Self.configuration(),
            routes: [Self.health(), Echo()],
            logger: QuietLog().logger
        )
        defer { server.stop() }
        let base = "http://127.0.0.1:\(try #require(server.port))"
        #expect(try await ask(base + "/healthz", method: "PROPFIND").status == 405)
        await expectRefusal {
            try await ask(base + "/healthz", [("X-Long", String(repeating: "x", count: 100_000))])
        }
        await expectRefusal {
            try await ask(base + "/debug/length", method: "POST", body: String(repeating: "x", count: 1 << 20))
        }
        #expect(try await ask(base + "/debug/length", method: "POST", body: "abc").body == "3\n")
        #expect(try await ask(base + "/healthz").status == 200)
    }

    /// Expects an error status, or that the server closes the connection before it has read the whole request.
    private func expectRefusal(of request: () async throws -> Answer) async {
        do {
            let answer = try await request()
            #expect(answer.status >= 400)
        } catch {
            let isClosed = error as? HTTPClientError == HTTPClientError.remoteConnectionClosed
            #expect(isClosed || error is IOError || error is ChannelError, "\(error)")
        }
    }

    /// A connection of a client that sends only the given text.
    private final class SilentClient {
        let descriptor: Int32

        init(_ port: Int, sends text: String? = nil) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(result == 0)
            if let text { sends(text) }
        }

        deinit { close(descriptor) }

        func sends(_ text: String) {
            #expect(send(descriptor, text, text.utf8.count, 0) == text.utf8.count)
        }

        /// Returns whether there is something to receive within five seconds, which stays.
        func hasBytes() -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            var byte: UInt8 = 0
            return poll(&entry, 1, 5000) == 1 && recv(descriptor, &byte, 1, Int32(MSG_PEEK)) == 1
        }

        /// Returns whether the server closes the connection within so many milliseconds.
        func isClosed(within milliseconds: Int32) -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, milliseconds) == 1 else { return false }
            var byte: UInt8 = 0
            return recv(descriptor, &byte, 1, 0) <= 0
        }

        /// Reads up to the end of a text; false if the connection ends before, or after five seconds.
        func receives(_ end: String) -> Bool {
            var bytes: [UInt8] = []
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while !bytes.suffix(end.utf8.count).elementsEqual(end.utf8) {
                var byte: UInt8 = 0
                guard poll(&entry, 1, 5000) == 1, recv(descriptor, &byte, 1, 0) == 1 else { return false }
                bytes.append(byte)
            }
            return true
        }
    }

    @Test func closesSilentConnectionsWhenFull() async throws {
        let folder = try TestFolder()
        let token = "0123456789abcdef"
        let configuration = Self.configuration { $0.tokenPath = folder.path + "/token" }
        _ = try folder.write("token", token)
        let log = QuietLog()
        let server = try await HTTPServer(configuration, routes: [Echo()], logger: log.logger)
        defer { server.stop() }
        let port = try #require(server.port)
        let head = "POST /debug/length HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
        let authorization = "Authorization: Bearer \(token)\r\n\r\n"
        let admitted = try SilentClient(port, sends: "GET /debug/echo HTTP/1.1\r\nHost: x\r\n" + authorization)
        #expect(admitted.receives("/debug/echo\n"))
        // The head is admitted and the body is missing: the server keeps this connection.
        admitted.sends(head + authorization)
        // A connection without authorization counts as one without a request.
        let refused = try SilentClient(port, sends: head + "\r\n")
        #expect(refused.hasBytes())
        let silent = try (0..<62).map { _ in try SilentClient(port) }
        for _ in 0..<3 {
            let answer = try await ask(
                "http://127.0.0.1:\(port)/debug/echo",
                [("Authorization", "Bearer \(token)"), ("Connection", "close")]
            )
            #expect(answer.status == 200)
        }
        #expect(!admitted.isClosed(within: 0))
        // The server sends 401 before it closes the connection, so there is a byte to receive.
        #expect(!refused.isClosed(within: 1000))
        #expect(silent.count { $0.isClosed(within: 50) } <= 3)
        #expect(log.text.contains("connections are closed for lack of room"))
    }

    @Test func closesConnectionWithoutHeadAfterTimeout() async throws {
        let configuration = Self.configuration { $0.headLimit = .milliseconds(200) }
        let server = try await HTTPServer(configuration, routes: [Echo()], logger: QuietLog().logger)
        defer { server.stop() }
        let port = try #require(server.port)
        let silent = try SilentClient(port)
        let slow = try SilentClient(port, sends: "GET /debug/echo HTTP/1.1\r\nHost:")
        let begun = try SilentClient(port, sends: "POST /debug/length HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        #expect(silent.isClosed(within: 5000))
        #expect(slow.isClosed(within: 5000))
        #expect(!begun.isClosed(within: 300))
    }

    /// A client that reads nothing more ends its response, which would else wait for ever.
    @Test(.timeLimit(.minutes(1))) func disconnectsClientThatStopsReading() async throws {
        let (ended, ends) = AsyncStream<Void>.makeStream()
        let server = try await HTTPServer(
            Self.configuration { $0.readLimit = .milliseconds(200) },
            routes: [Endless(ends: ends)],
            logger: QuietLog().logger
        )
        defer { server.stop() }
        let client = try SilentClient(
            try #require(server.port),
            sends: "GET /debug/endless HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        var iterator = ended.makeAsyncIterator()
        await iterator.next()
        withExtendedLifetime(client) {}
    }

    /// Connections that wait for their next request make room for new ones, also where no token is needed.
    @Test func idleConnectionsMakeRoom() async throws {
        let server = try await HTTPServer(
            Self.configuration(),
            routes: [Self.health(), Echo()],
            logger: QuietLog().logger
        )
        defer { server.stop() }
        let port = try #require(server.port)
        // Their requests end in this order.
        let idle = try (0..<ConnectionTable.limit).map { _ in
            let client = try SilentClient(port, sends: "GET /debug/echo HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.receives("/debug/echo\n"))
            return client
        }
        let probe = try? await ask("http://127.0.0.1:\(port)/healthz", [("Connection", "close")])
        #expect(probe?.status == 200)
        #expect(idle[0].isClosed(within: 5000))
        #expect(idle[1...].allSatisfy { !$0.isClosed(within: 0) })
    }

    @Test func servesHTTPSAndRejectsWorldReadableKey() async throws {
        let folder = try TestFolder()
        let made = try folder.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "1",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", "key.pem", "-out", "certificate.pem",
        ])
        try #require(made.status == 0, "\(made.output)")
        let key = folder.path + "/key.pem"
        chmod(key, 0o600)
        let configuration = Self.configuration {
            $0.certificatePath = folder.path + "/certificate.pem"
            $0.keyPath = key
        }
        let server = try await HTTPServer(configuration, routes: [Self.health()], logger: QuietLog().logger)
        defer { server.stop() }
        let port = try #require(server.port)
        #expect(server.places == ["https://127.0.0.1:\(port)"])
        let answer = try await ask("https://localhost:\(port)/healthz", trusting: folder.path + "/certificate.pem")
        #expect(answer.status == 200)
        await #expect(throws: (any Error).self) { try await ask("http://127.0.0.1:\(port)/healthz") }
        chmod(key, 0o604)
        await #expect(throws: ServerError.self) {
            try await HTTPServer(configuration, routes: [], logger: QuietLog().logger)
        }
    }
}

@Suite struct ConnectionTableTests {
    private final class Connection: Sendable {
        let isClosed = Mutex(false)
    }

    private func open(_ connection: Connection, _ table: ConnectionTable, from origin: [UInt8]?) -> Bool {
        table.open(ObjectIdentifier(connection), from: origin) { connection.isClosed.withLock { $0 = true } }
    }

    @Test func limitsConnectionsPerAddress() {
        let table = ConnectionTable(perAddress: 16, logger: QuietLog().logger)
        let connections = (0..<20).map { _ in Connection() }
        let opened = connections.map { open($0, table, from: [10, 0, 0, 1]) }
        #expect(opened == (0..<20).map { $0 < 16 })
        let other = Connection()
        #expect(open(other, table, from: [10, 0, 0, 2]))
        table.remove(ObjectIdentifier(connections[0]))
        #expect(open(connections[19], table, from: [10, 0, 0, 1]))
        // Connections from the host itself have no such limit.
        let local = (0..<40).map { _ in Connection() }
        #expect(local.allSatisfy { open($0, table, from: nil) })
        #expect(connections.allSatisfy { !$0.isClosed.withLock { $0 } })
    }

    @Test func closesOldestUnadmittedConnectionWhenFull() {
        let table = ConnectionTable(perAddress: 16, logger: QuietLog().logger)
        let connections = (0..<66).map { _ in Connection() }
        for connection in connections[..<64] { #expect(open(connection, table, from: nil)) }
        table.admit(ObjectIdentifier(connections[0]))
        #expect(open(connections[64], table, from: nil))
        #expect(connections.map { $0.isClosed.withLock { $0 } } == (0..<66).map { $0 == 1 })
        for connection in connections { table.admit(ObjectIdentifier(connection)) }
        #expect(!open(connections[65], table, from: nil))
    }

    @Test func closesOldestIdleConnectionWhenAllHadRequests() {
        let table = ConnectionTable(perAddress: 16, logger: QuietLog().logger)
        let connections = (0..<68).map { _ in Connection() }
        for connection in connections[..<64] {
            #expect(open(connection, table, from: nil))
            table.admit(ObjectIdentifier(connection))
        }
        for number in [7, 5] { table.finish(ObjectIdentifier(connections[number])) }
        // A refused request does not make a connection one that had a request: it goes before all idle ones.
        #expect(open(connections[64], table, from: nil))
        table.finish(ObjectIdentifier(connections[64]))
        #expect(open(connections[65], table, from: nil))
        table.admit(ObjectIdentifier(connections[65]))
        #expect(open(connections[66], table, from: nil))
        table.admit(ObjectIdentifier(connections[66]))
        #expect(connections.indices.filter { connections[$0].isClosed.withLock { $0 } } == [5, 7, 64])
        #expect(!open(connections[67], table, from: nil))
    }

    /// Other hosts that hold all of their places, even with requests, leave room for probes of this host.
    @Test func keepsPlacesForThisHost() {
        let table = ConnectionTable(perAddress: 48, logger: QuietLog().logger)
        let connections = (0..<56).map { _ in Connection() }
        for (number, connection) in connections.enumerated() {
            #expect(open(connection, table, from: [10, 0, 0, number < 48 ? 1 : 2]))
            table.admit(ObjectIdentifier(connection))
        }
        let (refused, later) = (Connection(), Connection())
        #expect(!open(refused, table, from: [10, 0, 0, 3]))
        let probes = (0..<8).map { _ in Connection() }
        for probe in probes { #expect(open(probe, table, from: nil)) }
        // A remote connection replaces a remote one only.
        table.finish(ObjectIdentifier(connections[20]))
        #expect(open(later, table, from: [10, 0, 0, 3]))
        #expect(connections.indices.filter { connections[$0].isClosed.withLock { $0 } } == [20])
        #expect(probes.allSatisfy { !$0.isClosed.withLock { $0 } })
    }

    @Test(
        arguments: [
            ("10.0.0.1", "10.0.0.1", nil), ("10.0.0.1", "10.0.0.2", [10, 0, 0, 1]), ("fe80::1", "fe80::1", nil),
        ] as [(String, String, [UInt8]?)]
    )
    func clientAtCalledAddressIsThisHost(_ client: String, _ called: String, _ origin: [UInt8]?) throws {
        let addresses = try (SocketAddress(ipAddress: client, port: 1), SocketAddress(ipAddress: called, port: 9464))
        #expect(ConnectionTable.origin(of: addresses.0, calling: addresses.1) == origin)
    }

    @Test(
        arguments: [
            ("10.0.0.1", [10, 0, 0, 1]), ("127.0.0.9", nil), ("::1", nil), ("::ffff:10.0.0.1", [10, 0, 0, 1]),
            ("::ffff:127.0.0.1", nil), ("2001:db8:1:2:3:4:5:6", [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2]),
        ] as [(String, [UInt8]?)]
    )
    func derivesOriginFromAddress(_ text: String, _ origin: [UInt8]?) throws {
        #expect(ConnectionTable.origin(of: try SocketAddress(ipAddress: text, port: 1)) == origin)
    }
}

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9464", "127.0.0.1", 9464), ("[::1]:80", "::1", 80), (":9464", "::", 9464),
        ("9464", "127.0.0.1", 9464),
        ("localhost:0", "localhost", 0),
    ])
    func parsesValidAddress(_ text: String, _ host: String, _ port: Int) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.host == host && Int(address.port) == port)
    }

    @Test(arguments: ["", ":", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "host:+1", "a b:1", "[::1]", "off", "x:１"])
    func rejectsInvalidAddress(_ text: String) {
        #expect(throws: ServerError.self) { try ListenAddress(parsing: text) }
    }
}
