import Foundation

/// The API server and the credentials.
package struct KubernetesConfiguration: Sendable {
    /// The source of the configuration, which is read again when the server rejects the credentials.
    enum Origin: Sendable, Hashable {
        case inCluster(environment: [String: String], directory: String)
        case kubeconfig(path: String, context: String?)
    }

    /// The credentials of a client other than a certificate.
    enum Credentials: Sendable, Hashable {
        case none
        case token(BearerToken.Origin)
    }

    /// The folder that contains the token of a pod's service account, the cluster's CA and the pod's namespace.
    package static let serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

    let origin: Origin
    let address: ServerAddress
    let credentials: Credentials
    let tls: TLSMaterial
    /// The places in the configuration of cluster and user, for messages.
    let clusterPlace: String
    let userPlace: String

    /// The address of the API server, for messages.
    package var place: String { "\(address)" }

    /// The namespace of the context or pod; nil if there is none.
    package let namespace: String?

    /// The address of the server, as in `https://10.0.0.1:6443`.
    package var server: String { address.description }

    /// Takes all members, and checks that the token, certificates and keys are readable.
    init(
        origin: Origin,
        address: ServerAddress,
        credentials: Credentials,
        tls: TLSMaterial,
        namespace: String?,
        clusterPlace: String,
        userPlace: String
    ) throws(KubernetesError) {
        self.origin = origin
        self.address = address
        self.credentials = credentials
        self.tls = tls
        self.namespace = namespace
        self.clusterPlace = clusterPlace
        self.userPlace = userPlace
        // Unusable settings are reported at the start, not when the first request fails.
        _ = try makeToken()
        _ = try loadTLS()
    }

    /// The configuration in a pod: the server from the environment, and the files that the kubelet mounts.
    ///
    /// - Parameters:
    ///   - environment: contains `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`; nil for that of the process.
    ///   - directory: contains `token`, `ca.crt` and `namespace`.
    /// - Returns: the configuration.
    /// - Throws: ``KubernetesError`` if the process is not in a pod, or the token of the service account is not mounted.
    package static func inCluster(
        environment: [String: String]? = nil,
        directory: String = serviceAccountDirectory
    ) throws(KubernetesError) -> KubernetesConfiguration {
        let environment = environment ?? ProcessInfo.processInfo.environment
        let remedy = "run in a pod whose service account token is mounted, or give --kubeconfig PATH"
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty else {
            throw KubernetesError(place: "KUBERNETES_SERVICE_HOST", problem: "not set: this is no pod", remedy: remedy)
        }
        guard let port = environment["KUBERNETES_SERVICE_PORT"].flatMap(Int.init), 1...65535 ~= port else {
            throw KubernetesError(place: "KUBERNETES_SERVICE_PORT", problem: "not a port", remedy: remedy)
        }
        let namespace = try? String(contentsOfFile: directory + "/namespace", encoding: .utf8)
        return try KubernetesConfiguration(
            origin: .inCluster(environment: environment, directory: directory),
            address: ServerAddress(isSecure: true, host: host, port: port),
            credentials: .token(.file(directory + "/token")),
            tls: TLSMaterial(authority: .file(directory + "/ca.crt")),
            namespace: namespace?.trimmingCharacters(in: .whitespacesAndNewlines),
            clusterPlace: directory,
            userPlace: directory
        )
    }

    /// The configuration of a context of a kubeconfig file.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - context: the name of the context; nil for the current context of the file.
    /// - Throws: ``KubernetesError`` if the file, the context, or a part of it is unusable.
    package init(kubeconfig path: String, context: String? = nil) throws(KubernetesError) {
        let file = try Kubeconfig(path: path)
        self = try file.configuration(context: context)
    }

    /// Reads the configuration from its source again.
    func reloaded() throws(KubernetesError) -> KubernetesConfiguration {
        switch origin {
        case .inCluster(let environment, let directory):
            try .inCluster(environment: environment, directory: directory)
        case .kubeconfig(let path, let context): try KubernetesConfiguration(kubeconfig: path, context: context)
        }
    }

    /// The bearer token; nil if none is configured.
    func makeToken() throws(KubernetesError) -> BearerToken? {
        switch credentials {
        case .none: nil
        case .token(let origin): try BearerToken(origin, place: userPlace)
        }
    }

    /// Reads certificates and keys; nil if the server does not use TLS.
    func loadTLS() throws(KubernetesError) -> TLSMaterial.Loaded? {
        address.isSecure ? try tls.load(cluster: clusterPlace, user: userPlace) : nil
    }
}
