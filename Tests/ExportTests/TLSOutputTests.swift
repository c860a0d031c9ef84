import Foundation
import Glibc
import NIOSSL
import Testing

@testable import Export

/// Outputs over TLS: records go only to servers with a valid certificate.
struct TLSOutputTests {
    private static func batch(_ numbers: Range<Int>) -> RecordBatch {
        NumberedLines.batch(numbers)
    }

    private func options(_ certificates: TestCertificates, serverName: String? = nil) -> OutputOptions {
        var options = OutputOptions()
        options.http.authorityFile = certificates.authority
        options.http.serverName = serverName
        return options
    }

    // MARK: Lines

    @Test func deliversLinesOverTLS() throws {
        let certificates = try TestCertificates()
        let server = try TLSReaderStub(certificates.server(.valid))
        defer { server.stop() }
        let output = try Output(
            .tls(host: "localhost", port: server.port),
            options: options(certificates),
            logger: LogRecorder().logger
        )
        for first in stride(from: 0, to: 3_000, by: 100) { output.submit(Self.batch(first..<(first + 100))) }
        #expect(output.finish(within: .seconds(60)).delivered == 3_000)
        #expect(eventually { server.bytes.count >= 3_000 * NumberedLines.length })
        #expect(NumberedLines.numbers(in: server.bytes) == Array(0..<3_000))
    }

    @Test(arguments: [
        (TestCertificates.Kind.expired, "the server's certificate is expired"), (.foreign, "is for another name"),
        (.unsigned, "no authority that is trusted"),
    ])
    func sendsNoLinesToUntrustedServer(kind: TestCertificates.Kind, reason: String) throws {
        let certificates = try TestCertificates()
        let server = try TLSReaderStub(certificates.server(kind))
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try Output(
            .tls(host: "localhost", port: server.port),
            options: options(certificates),
            logger: recorder.logger
        )
        output.submit(Self.batch(0..<5))
        #expect(eventually { recorder.count("output is unavailable") == 1 && recorder.count(reason) == 1 })
        #expect(output.finish(within: .milliseconds(100)).drops == OutputDrops(unsent: 5))
        #expect(server.bytes.isEmpty)
    }

    /// The paths of a library's source files at its build are useless to an operator.
    @Test func removesSourcePlacesFromErrors() {
        let text = "[Error: 268 error:1000007d:SSL routines:NO_CIPHER at /a/b.cc:320, Error: 1 at /c:7])"
        #expect(
            ConnectionFault.withoutPlaces(text) == "[Error: 268 error:1000007d:SSL routines:NO_CIPHER, Error: 1])"
        )
        #expect(ConnectionFault.withoutPlaces("connect at noon") == "connect at noon")
    }

    /// A certificate for another name is valid if that name is configured.
    @Test func verifiesConfiguredServerName() throws {
        let certificates = try TestCertificates()
        let server = try TLSReaderStub(certificates.server(.foreign))
        defer { server.stop() }
        let output = try Output(
            .tls(host: "127.0.0.1", port: server.port),
            options: options(certificates, serverName: "elsewhere.example"),
            logger: LogRecorder().logger
        )
        output.submit(Self.batch(0..<5))
        #expect(output.finish(within: .seconds(30)).delivered == 5)
    }

    /// A server that answers something else than TLS.
    @Test func sendsNothingToServerWithoutTLS() throws {
        let server = try HTTPServerStub([])
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try Output(.tls(host: "127.0.0.1", port: UInt16(server.port)), logger: recorder.logger)
        output.submit(Self.batch(0..<5))
        #expect(eventually { recorder.count("output is unavailable") == 1 })
        #expect(output.finish(within: .milliseconds(100)).drops == OutputDrops(unsent: 5))
        #expect(server.requests.isEmpty)
    }

    /// A server that rejects the client closes when the handshake is over for the client: no record may be lost then.
    @Test(arguments: [false, true])
    func losesNoRecordsWhenServerRejectsClient(hasCertificate: Bool) throws {
        let certificates = try TestCertificates()
        var configuration = try certificates.server(.valid)
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .file(certificates.authority)
        let server = try TLSReaderStub(configuration)
        defer { server.stop() }
        var options = options(certificates)
        if hasCertificate {
            options.http.certificateFile = certificates.certificate(.unsigned)
            options.http.keyFile = certificates.key
        }
        let recorder = LogRecorder()
        let output = try Output(.tls(host: "localhost", port: server.port), options: options, logger: recorder.logger)
        for number in 0..<5 { output.submit(Self.batch(number..<(number + 1))) }
        #expect(eventually { recorder.count("output is unavailable") == 1 }, "\(recorder.messagesText)")
        let reason = hasCertificate ? "of the client's certificate" : "the server wants a certificate of the client"
        #expect(recorder.count(reason) == 1, "\(recorder.messagesText)")
        #expect(output.finish(within: .milliseconds(100)).drops == OutputDrops(unsent: 5))
        #expect(server.bytes.isEmpty)
    }

    /// The listener accepts the connection, and never answers.
    @Test func reportsServerThatDoesNotAnswer() throws {
        let listener = Listener(.tcp)
        defer { listener.stop() }
        let recorder = LogRecorder()
        let output = try Output(.tls(host: "127.0.0.1", port: listener.port), logger: recorder.logger)
        output.submit(Self.batch(0..<5))
        #expect(eventually { recorder.count("does what listens there speak TLS?") == 1 }, "\(recorder.messagesText)")
        #expect(output.finish(within: .milliseconds(100)).drops == OutputDrops(unsent: 5))
    }

    // MARK: HTTP

    @Test(arguments: TestCertificates.Kind.allCases)
    func sendsRequestsOnlyToTrustedServer(kind: TestCertificates.Kind) throws {
        let certificates = try TestCertificates()
        let server = try HTTPServerStub(tls: certificates.server(kind)) { _ in .respond(200) }
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try Output(
            try OutputSpecification(parsing: "https://localhost:\(server.port)/in"),
            options: options(certificates),
            logger: recorder.logger
        )
        output.submit(Self.batch(0..<5))
        if kind == .valid {
            #expect(output.finish(within: .seconds(30)).delivered == 5)
            #expect(server.requests.count == 1)
        } else {
            #expect(eventually { recorder.count("output is unavailable") == 1 })
            #expect(output.finish(within: .milliseconds(100)).drops == OutputDrops(unsent: 5))
            #expect(server.requests.isEmpty)
        }
    }

    @Test func verifiesConfiguredServerNameOverHTTP() throws {
        let certificates = try TestCertificates()
        let server = try HTTPServerStub(tls: certificates.server(.foreign)) { _ in .respond(200) }
        defer { server.stop() }
        let output = try Output(
            try OutputSpecification(parsing: "https://127.0.0.1:\(server.port)/in"),
            options: options(certificates, serverName: "elsewhere.example"),
            logger: LogRecorder().logger
        )
        output.submit(Self.batch(0..<5))
        #expect(output.finish(within: .seconds(30)).delivered == 5)
        #expect(server.requests.first?.headers["host"]?.hasPrefix("elsewhere.example") == true)
    }

    /// TLS to a server without it, and the other way round.
    @Test(arguments: [true, false])
    func reportsMismatchOfTLSAndPlainHTTP(clientSpeaksTLS: Bool) throws {
        let certificates = try TestCertificates()
        let server = try HTTPServerStub(tls: clientSpeaksTLS ? nil : certificates.server(.valid)) { _ in .respond(200) }
        defer { server.stop() }
        let recorder = LogRecorder()
        let output = try Output(
            try OutputSpecification(parsing: "http\(clientSpeaksTLS ? "s" : "")://localhost:\(server.port)/in"),
            options: options(certificates),
            logger: recorder.logger
        )
        output.submit(Self.batch(0..<5))
        #expect(eventually { recorder.count("output is unavailable") == 1 })
        #expect(output.finish(within: .milliseconds(100)).drops == OutputDrops(unsent: 5))
        #expect(server.requests.isEmpty)
    }

    // MARK: Changed addresses

    /// The name of a server gets another address: records go to the new one.
    ///
    /// In a process of its own, whose thread sees another `/etc/hosts`, and so do the threads that it starts.
    @Test func followsChangedAddressOfHostName() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let folder = TemporaryFolder()
            folder.write("127.0.0.1 moving.example\n", to: "log")
            // CLONE_NEWNS; then MS_REC | MS_PRIVATE, and MS_BIND.
            guard unshareNamespaces(0x20000) == 0, mountFolder("none", "/", nil, 0x44000, nil) == 0,
                mountFolder(folder.path + "/log", "/etc/hosts", nil, 0x1000, nil) == 0
            else { exit(3) }
            let first = try HTTPServerStub { _ in .respond(200) }
            let place = try OutputSpecification(parsing: "http://moving.example:\(first.port)/")
            let output = try Output(place, logger: LogRecorder().logger)
            output.submit(NumberedLines.batch(0..<5))
            guard eventually({ output.statistics.delivered == 5 }) else { exit(4) }
            let second = try HTTPServerStub(port: first.port, host: "127.0.0.2") { _ in .respond(200) }
            folder.write("127.0.0.2 moving.example\n", to: "log")
            first.stop()
            // The old connection may still accept some records.
            var next = 5
            let isFollowed = eventually {
                output.submit(NumberedLines.batch(next..<(next + 1)))
                next += 1
                usleep(10_000)
                return second.requests.count > 0
            }
            folder.remove()
            exit(isFollowed ? 42 : 5)
        }
    }
}

/// `unshare(2)` and `mount(2)`, which Swift's C library module hides.
@_silgen_name("unshare")
func unshareNamespaces(_ flags: Int32) -> Int32

@_silgen_name("mount")
private func mountFolder(
    _ source: UnsafePointer<CChar>?,
    _ target: UnsafePointer<CChar>?,
    _ type: UnsafePointer<CChar>?,
    _ flags: UInt,
    _ data: UnsafeRawPointer?
) -> Int32
