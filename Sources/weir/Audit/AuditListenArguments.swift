import ArgumentParser
import Server

/// The address to which API servers' webhook backends send events, and the clients that are allowed to.
struct AuditListenArguments: ParsableArguments {
    @Option(name: .customLong("audit-listen"), help: .setting("audit-listen"))
    var listen: String?

    @Option(name: .customLong("audit-certificate"), help: .setting("audit-certificate"))
    var certificate: String?

    @Option(name: .customLong("audit-key"), help: .setting("audit-key"))
    var key: String?

    @Option(name: .customLong("audit-client-ca"), help: .setting("audit-client-ca"))
    var clientAuthority: String?

    @Option(name: .customLong("audit-token-file"), help: .setting("audit-token-file"))
    var tokenFile: String?

    func validate() throws {
        let files = [
            ("--audit-certificate", certificate), ("--audit-key", key), ("--audit-client-ca", clientAuthority),
            ("--audit-token-file", tokenFile),
        ]
        for (option, path) in files where path == "" { throw ValidationError("\(option): the path is empty") }
        guard let address = try address else {
            guard let option = files.first(where: { $0.1 != nil })?.0 else { return }
            throw ValidationError("\(option) is for --audit-listen, which is not given")
        }
        guard (certificate == nil) == (key == nil) else {
            throw ValidationError("--audit-certificate and --audit-key belong together: give both, or none")
        }
        guard clientAuthority == nil || certificate != nil else {
            throw ValidationError("--audit-client-ca needs TLS: give --audit-certificate and --audit-key")
        }
        guard !address.isLoopback else { return }
        guard certificate != nil else {
            throw ValidationError(
                "--audit-listen \(address): others could read the events; give --audit-certificate and --audit-key, or listen on 127.0.0.1"
            )
        }
        guard clientAuthority != nil || tokenFile != nil else {
            throw ValidationError(
                "--audit-listen \(address): others could forge events; give --audit-client-ca or --audit-token-file, or listen on 127.0.0.1"
            )
        }
    }

    private var address: ListenAddress? {
        get throws {
            do throws(ServerError) {
                return try listen.map { text throws(ServerError) in try ListenAddress(parsing: text) }
            } catch {
                throw ValidationError("--audit-listen: \(error)")
            }
        }
    }

    /// Whether a port below 1024 is configured, which only privileged processes can bind.
    var bindsLowPort: Bool { (try? address).map { $0.port > 0 && $0.port < 1024 } ?? false }

    /// The server's configuration; nil if no address is configured.
    func configuration() throws -> HTTPServerConfiguration? {
        guard let address = try address else { return nil }
        var configuration = HTTPServerConfiguration()
        configuration.address = address
        configuration.isAddressRequired = true
        configuration.certificatePath = certificate
        configuration.keyPath = key
        configuration.clientAuthorityPath = clientAuthority
        configuration.tokenPath = tokenFile
        // An API server keeps one or two.
        configuration.connectionsPerAddress = 16
        return configuration
    }
}
