import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// A source and a server with TLS: the verification of certificates on both sides.
@Suite struct TLSTests {
    private static let script: @Sendable (ScriptedServer.Request) -> [Piece] = { _ in
        Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
    }

    /// Runs a source with this cluster and user against a front, and does something meanwhile.
    private static func run(
        _ front: TLSFront,
        _ server: ScriptedServer,
        folder: TemporaryFolder,
        host: String = "127.0.0.1",
        cluster: String,
        user: String = "token: secret-token",
        _ body: @Sendable (SourceHarness) async throws -> Void
    ) async throws {
        let path = try folder.write(
            """
            clusters: [{name: c, cluster: {server: "https://\(host):\(front.port)", \(cluster)}}]
            users: [{name: u, user: {\(user)}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """,
            to: "kubeconfig-\(UUID().uuidString)"
        )
        let observer = RecordingObserver()
        let log = RecordingLog()
        let source = try KubernetesSource(
            configuration: KubernetesConfiguration(kubeconfig: path),
            observer: observer,
            source: SourceID(rawValue: 1),
            userAgent: "weir",
            logger: log.logger,
            resources: SourceHarness.pods,
            times: .short
        )
        try await SourceHarness(server: server, observer: observer, log: log, source: source).run(body)
        await front.stop()
    }

    private static func front(_ authority: TestAuthority, _ server: ScriptedServer, clients: String? = nil) async throws
        -> TLSFront
    {
        try await TLSFront(
            to: server,
            certificate: authority.folder.path + "/server.crt",
            key: authority.folder.path + "/server.key",
            clients: clients
        )
    }

    @Test(arguments: ["certificate-authority: ca.crt", "insecure-skip-tls-verify: true"])
    func connectsWithAuthorityOrWithoutVerification(cluster: String) async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("server")
        let server = try ScriptedServer(Self.script)
        let front = try await Self.front(authority, server)
        try await Self.run(front, server, folder: folder, cluster: cluster) { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)), "\(harness.log.all)")
        }
        #expect(server.requests.first?.headers["authorization"] == "Bearer secret-token")
    }

    @Test func rejectsOtherAuthorityUntilFileIsReplaced() async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        let other = try TestAuthority(in: folder, name: "other")
        try authority.sign("server")
        try folder.write(String(contentsOfFile: other.certificate, encoding: .utf8), to: "used.crt")
        let server = try ScriptedServer(Self.script)
        let front = try await Self.front(authority, server)
        try await Self.run(front, server, folder: folder, cluster: "certificate-authority: used.crt") { harness in
            #expect(await eventually { harness.pods.restarts[.unreachable] ?? 0 > 2 })
            #expect(server.requests.isEmpty)
            #expect(harness.log.containing("not signed by the configured certificate authority").count == 1)
            #expect(harness.log.containing("check certificate-authority").count == 1)
            try folder.write(String(contentsOfFile: authority.certificate, encoding: .utf8), to: "used.crt")
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)), "\(harness.log.all)")
            #expect(await eventually { harness.log.containing("is back").count == 1 })
        }
    }

    @Test func reportsExpiredCertificate() async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("server", days: -1)
        let server = try ScriptedServer(Self.script)
        let front = try await Self.front(authority, server)
        try await Self.run(front, server, folder: folder, cluster: "certificate-authority: ca.crt") { harness in
            let isNamed = await eventually { !harness.log.containing("certificate expired on 20").isEmpty }
            #expect(isNamed, "\(harness.log.all)")
        }
        #expect(server.requests.isEmpty)
    }

    @Test func rejectsCertificateForOtherAddress() async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("server", names: "DNS:api.internal")
        let server = try ScriptedServer(Self.script)
        let front = try await Self.front(authority, server)
        try await Self.run(front, server, folder: folder, cluster: "certificate-authority: ca.crt") { harness in
            let isNamed = await eventually { !harness.log.containing("is for api.internal, not for 127.0.0.1").isEmpty }
            #expect(isNamed && !harness.log.containing("tls-server-name").isEmpty, "\(harness.log.all)")
        }
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: ["127.0.0.1", "localhost"]) func verifiesConfiguredServerName(host: String) async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("server", names: "DNS:api.internal")
        let server = try ScriptedServer(Self.script)
        let front = try await Self.front(authority, server)
        let cluster = "certificate-authority: ca.crt, tls-server-name: api.internal"
        try await Self.run(front, server, folder: folder, host: host, cluster: cluster) { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)), "\(harness.log.all)")
        }
        #expect(server.requests.first?.headers["host"] == "\(host):\(front.port)")
    }

    @Test(arguments: [
        "rsa:2048", "ec -pkeyopt ec_paramgen_curve:prime256v1", "ec -pkeyopt ec_paramgen_curve:secp384r1",
    ])
    func presentsClientCertificate(key: String) async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("server")
        try authority.sign("client", key: key)
        let isRSA = key.hasPrefix("rsa")
        // The older forms, as clusters from before PKCS #8 have them (PKCS #1 and SEC 1).
        try TestAuthority.openssl(
            "\(isRSA ? "rsa -traditional" : "ec") -in client.key -out client.old.key",
            in: folder
        )
        for name in ["client.key", "client.old.key"] {
            let server = try ScriptedServer(Self.script)
            let front = try await Self.front(authority, server, clients: authority.certificate)
            let key = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name)).base64EncodedString()
            let user = "client-certificate: client.crt, client-key-data: \(key)"
            try await Self.run(front, server, folder: folder, cluster: "certificate-authority: ca.crt", user: user) {
                harness in
                #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)), "\(name) \(harness.log.all)")
            }
            #expect(server.requests.first?.headers["authorization"] == nil)
        }
    }

    @Test func reportsRefusalWithoutClientCertificate() async throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("server")
        let server = try ScriptedServer(Self.script)
        let front = try await Self.front(authority, server, clients: authority.certificate)
        try await Self.run(front, server, folder: folder, cluster: "certificate-authority: ca.crt") { harness in
            #expect(await eventually { !harness.log.containing("cannot be reached").isEmpty }, "\(harness.log.all)")
        }
        #expect(server.requests.isEmpty)
    }

    @Test func rejectsMismatchedKeyAndCertificate() throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try authority.sign("one")
        try authority.sign("two")
        let path = try folder.write(
            """
            clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
            users: [{name: u, user: {client-certificate: one.crt, client-key: two.key}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """,
            to: "kubeconfig"
        )
        let error = #expect(throws: KubernetesError.self) { try KubernetesConfiguration(kubeconfig: path) }
        #expect(error.map { "\($0)" }?.contains("do not fit together") == true, "\(String(describing: error))")
    }
}
