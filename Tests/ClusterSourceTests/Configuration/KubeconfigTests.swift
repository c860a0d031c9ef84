import Foundation
import Testing

@testable import ClusterSource

/// Kubeconfig files that can be used, and messages about those that cannot.
@Suite struct KubeconfigTests {
    /// Reads a file with this cluster and user; other contexts and users are there, too.
    private static func read(
        cluster: String = "server: https://10.0.0.1:6443",
        user: String = "token: abc",
        context: String? = nil,
        in folder: TemporaryFolder
    ) throws -> KubernetesConfiguration {
        let path = try folder.write(
            """
            apiVersion: v1
            kind: Config
            clusters:
            - name: prod
              cluster: {\(cluster)}
            users:
            - name: ci
              user: {\(user)}
            - name: nobody
            contexts:
            - name: here
              context: {cluster: prod, user: ci, namespace: monitoring}
            - name: anonymous
              context: {cluster: prod, user: nobody}
            - name: lost
              context: {cluster: gone, user: ci}
            current-context: here
            """,
            to: "config"
        )
        return try KubernetesConfiguration(kubeconfig: path, context: context)
    }

    @Test func readsTheCurrentContext() throws {
        let folder = try TemporaryFolder()
        let configuration = try Self.read(in: folder)
        #expect(configuration.server == "https://10.0.0.1:6443")
        #expect(configuration.namespace == "monitoring")
        #expect(configuration.credentials == .token(.fixed("abc")))
        #expect(configuration.tls == TLSMaterial())
    }

    @Test func readsAnotherContext() throws {
        let folder = try TemporaryFolder()
        let configuration = try Self.read(context: "anonymous", in: folder)
        #expect(configuration.credentials == .none)
        #expect(configuration.namespace == nil)
    }

    @Test(arguments: [
        ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
        ("https://api.example.org", "https://api.example.org:443"),
        ("https://api.example.org/k8s/clusters/c-1/", "https://api.example.org:443/k8s/clusters/c-1"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("https://[fd00::1]:6443", "https://[fd00::1]:6443"),
        ("10.0.0.1:8080", "http://10.0.0.1:8080"),
    ])
    func readsAddresses(text: String, address: String) throws {
        let folder = try TemporaryFolder()
        #expect(try Self.read(cluster: "server: \"\(text)\"", in: folder).server == address)
    }

    @Test func pathsAreRelativeToTheFile() throws {
        let folder = try TemporaryFolder()
        try folder.write("from-file\n", to: "my.token")
        let configuration = try Self.read(user: "tokenFile: my.token, token: older", in: folder)
        #expect(configuration.credentials == .token(.file(folder.path + "/my.token")))
        #expect(try configuration.makeToken()?.current() == "from-file")
    }

    @Test func readsTLSSettingsOfCluster() throws {
        let folder = try TemporaryFolder()
        let configuration = try Self.read(
            cluster: "server: https://10.0.0.1, insecure-skip-tls-verify: true, tls-server-name: api.internal",
            in: folder
        )
        #expect(configuration.tls.skipsVerification)
        #expect(configuration.tls.serverName == "api.internal")
    }

    /// An unusable file: its settings, and the texts that the message must contain.
    struct Bad: Sendable, CustomTestStringConvertible {
        var cluster = "server: https://10.0.0.1:6443"
        var user = "token: abc"
        var context: String?
        var says: [String]

        var testDescription: String { says.joined(separator: " … ") }
    }

    static let bad = [
        Bad(user: "exec: {command: aws}", says: ["user \"ci\"", "exec plugins are not run", "kubectl create token"]),
        Bad(user: "auth-provider: {name: gcp}", says: ["user \"ci\"", "auth-provider", "token"]),
        Bad(user: "username: a, password: secret", says: ["user \"ci\"", "username and password", "token"]),
        Bad(user: "token: abc, as: root", says: ["user \"ci\"", "another user"]),
        Bad(user: "token: \"a b\"", says: ["user \"ci\"", "the token is empty or has characters"]),
        Bad(user: "tokenFile: nowhere", says: ["user \"ci\"", "/nowhere", "no such file"]),
        Bad(user: "client-certificate-data: AAAA", says: ["user \"ci\"", "client-key", "missing", "give both"]),
        Bad(user: "client-certificate-data: AAAA, client-key-data: AAAA", says: ["client-certificate-data", "PEM"]),
        Bad(user: "token: {a: b}", says: ["user \"ci\"", "token is not text"]),
        Bad(cluster: "server: https://1.2.3.4, proxy-url: http://p:3128", says: ["cluster \"prod\"", "proxy-url"]),
        Bad(cluster: "server: ftp://1.2.3.4", says: ["cluster \"prod\"", "ftp://1.2.3.4", "https://10.0.0.1:6443"]),
        Bad(cluster: "certificate-authority: ca.crt", says: ["cluster \"prod\"", "server is missing"]),
        Bad(
            cluster: "server: https://1.2.3.4, certificate-authority: ca.crt",
            says: ["cluster \"prod\"", "ca.crt", "no such file"]
        ),
        Bad(
            cluster: "server: https://1.2.3.4, certificate-authority-data: \"%\"",
            says: ["cluster \"prod\"", "certificate-authority-data is not base64"]
        ),
        Bad(
            cluster: "server: https://1.2.3.4, certificate-authority-data: AAAA, insecure-skip-tls-verify: true",
            says: ["cluster \"prod\"", "exclude each other"]
        ),
        Bad(
            cluster: "server: https://1.2.3.4, insecure-skip-tls-verify: maybe",
            says: ["cluster \"prod\"", "insecure-skip-tls-verify is neither true nor false"]
        ),
        Bad(context: "there", says: ["no context is named \"there\"", "there are: anonymous, here, lost"]),
        Bad(context: "lost", says: ["no cluster is named \"gone\"", "there are: prod"]),
    ]

    @Test(arguments: bad) func describesUnusableSetting(_ bad: Bad) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: KubernetesError.self) {
            try Self.read(cluster: bad.cluster, user: bad.user, context: bad.context, in: folder)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix(folder.path))
        for part in bad.says { #expect(text.contains(part), "\(text)") }
        #expect(!text.contains("secret"))
    }

    @Test(arguments: [
        ("a: [1", "line 2: not YAML"), ("", "not a kubeconfig"), ("- a\n", "not a kubeconfig"),
        ("clusters: []\nclusters: []\n", "keys appear twice: clusters"), ("kind: Config\n", "no current-context"),
    ])
    func describesInvalidFile(text: String, problem: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "config")
        let error = #expect(throws: KubernetesError.self) { try KubernetesConfiguration(kubeconfig: path) }
        #expect(error.map { "\($0)" }?.contains(problem) == true, "\(String(describing: error))")
    }

    @Test func describesMissingFile() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: KubernetesError.self) {
            try KubernetesConfiguration(kubeconfig: folder.path + "/none")
        }
        #expect(
            error.map { "\($0)" }?.contains("cannot read \(folder.path)/none: no such file") == true,
            "\(String(describing: error))"
        )
    }
}

/// The configuration of a pod.
@Suite struct InClusterTests {
    private static let environment = ["KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"]

    @Test func readsMountedServiceAccountFiles() throws {
        let folder = try TemporaryFolder()
        let authority = try TestAuthority(in: folder)
        try folder.write("token-1", to: "token")
        try folder.write("monitoring", to: "namespace")
        let configuration = try KubernetesConfiguration.inCluster(environment: Self.environment, directory: folder.path)
        #expect(configuration.server == "https://10.96.0.1:443")
        #expect(configuration.namespace == "monitoring")
        #expect(configuration.tls.authority == .file(authority.certificate))
        #expect(try configuration.makeToken()?.current() == "token-1")
    }

    @Test func bracketsIPv6Address() throws {
        let folder = try TemporaryFolder()
        _ = try TestAuthority(in: folder)
        try folder.write("token-1", to: "token")
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"]
        let configuration = try KubernetesConfiguration.inCluster(environment: environment, directory: folder.path)
        #expect(configuration.server == "https://[fd00::1]:6443")
    }

    @Test(arguments: [
        (["KUBERNETES_SERVICE_PORT": "443"], "KUBERNETES_SERVICE_HOST: not set: this is no pod"),
        (["KUBERNETES_SERVICE_HOST": "h"], "KUBERNETES_SERVICE_PORT: not a port"),
        (environment, "/token: no such file"),
    ])
    func describesMissingVariableOrFile(environment: [String: String], problem: String) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: KubernetesError.self) {
            try KubernetesConfiguration.inCluster(environment: environment, directory: folder.path)
        }
        #expect(error.map { "\($0)" }?.contains(problem) == true, "\(String(describing: error))")
    }

    @Test func rereadsTokenEachMinuteAndAfterRefusal() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("one", to: "token")
        let token = try BearerToken(.file(path), place: "test")
        let start = ContinuousClock.now
        try folder.write("two", to: "token")
        #expect(token.current(at: start + .seconds(59)) == "one")
        #expect(token.current(at: start + .seconds(61)) == "two")
        try folder.write("three", to: "token")
        #expect(token.current(at: start + .seconds(62)) == "two")
        token.expire()
        #expect(token.current() == "three")
        try FileManager.default.removeItem(atPath: path)
        #expect(token.current(at: start + .seconds(3600)) == "three")
    }
}
