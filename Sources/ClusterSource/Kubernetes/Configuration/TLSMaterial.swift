import NIOCore
import NIOSSL

/// The configured certificate authority and client certificate: PEM text or paths.
struct TLSMaterial: Sendable, Hashable {
    /// PEM text, or the path of a file that contains it.
    enum Source: Sendable, Hashable {
        case bytes([UInt8])
        case file(String)
    }

    /// The authorities that may sign the server's certificate; nil for those of the system.
    var authority: Source?
    /// Whether any server certificate is accepted.
    var skipsVerification = false
    /// The name that the server's certificate must have; nil for the host of the address.
    var serverName: String?
    /// The client's certificate, with intermediate certificates.
    var certificate: Source?
    /// The key of the client's certificate: RSA or EC, in PKCS #1, SEC 1 or PKCS #8.
    var key: Source?

    /// The loaded certificates and keys.
    struct Loaded: Sendable {
        /// The TLS configuration of the connections.
        var configuration: TLSConfiguration
        /// The contents of the files; equal if nothing has changed.
        var bytes: [[UInt8]]
    }

    /// Reads and checks all files; `cluster` and `user` are the places in the configuration, for errors.
    func load(cluster: String, user: String) throws(KubernetesError) -> Loaded {
        var loaded = Loaded(configuration: .makeClientConfiguration(), bytes: [])
        // A dead server does not acknowledge the end of a connection, and the default timeout for that is 5 s.
        loaded.configuration.shutdownTimeout = .milliseconds(500)
        if skipsVerification {
            loaded.configuration.certificateVerification = .none
        } else if let authority {
            let bytes = try read(authority, place: cluster)
            loaded.configuration.trustRoots = .certificates(
                try certificates(bytes, of: authority, as: "certificate-authority", place: cluster)
            )
            loaded.bytes.append(bytes)
        }
        try loadIdentity(into: &loaded, place: user)
        do {
            _ = try NIOSSLContext(configuration: loaded.configuration)
        } catch {
            throw KubernetesError(
                place: user,
                problem: "client-certificate and client-key do not fit together (\(error))",
                remedy: "give the key of that certificate"
            )
        }
        return loaded
    }

    private func loadIdentity(into loaded: inout Loaded, place: String) throws(KubernetesError) {
        guard let certificate, let key else {
            guard certificate == nil, key == nil else {
                throw KubernetesError(
                    place: place,
                    problem: "client-certificate and client-key go together, and one is missing",
                    remedy: "give both"
                )
            }
            return
        }
        let certificateBytes = try read(certificate, place: place)
        let keyBytes = try read(key, place: place)
        let chain = try certificates(certificateBytes, of: certificate, as: "client-certificate", place: place)
        loaded.configuration.certificateChain = chain.map { .certificate($0) }
        do {
            loaded.configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: keyBytes, format: .pem))
        } catch {
            throw KubernetesError(
                place: place,
                problem: "client-key\(Self.name(key)) is not a private key in PEM without a password",
                remedy: "give an RSA or EC key in PEM"
            )
        }
        loaded.bytes += [certificateBytes, keyBytes]
    }

    private func read(_ source: Source, place: String) throws(KubernetesError) -> [UInt8] {
        switch source {
        case .bytes(let bytes): bytes
        case .file(let path): try readBytes(path, place: place)
        }
    }

    private func certificates(
        _ bytes: [UInt8],
        of source: Source,
        as what: String,
        place: String
    ) throws(KubernetesError) -> [NIOSSLCertificate] {
        let found = (try? NIOSSLCertificate.fromPEMBytes(bytes)) ?? []
        guard found.isEmpty else { return found }
        throw KubernetesError(
            place: place,
            problem: "\(what)\(Self.name(source)) has no certificate in PEM",
            remedy: "give a file that begins with -----BEGIN CERTIFICATE-----"
        )
    }

    private static func name(_ source: Source) -> String {
        switch source {
        case .bytes: "-data"
        case .file(let path): " \(path)"
        }
    }
}
