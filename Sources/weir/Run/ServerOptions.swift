import ArgumentParser
import Server

/// The options of the HTTP server.
struct ServerOptions: ParsableArguments {
    @Option(help: .setting("http", showsDefault: true))
    var http: String?

    @Option(help: .setting("socket", showsDefault: true))
    var socket: String?

    @Option(help: .setting("http-token-file"))
    var httpTokenFile: String?

    @Option(help: .setting("http-certificate"))
    var httpCertificate: String?

    @Option(help: .setting("http-key"))
    var httpKey: String?

    @Option(help: .setting("flow-metrics"))
    var flowMetrics = 0

    @Flag(help: .setting("program-time"))
    var programTime = false

    func validate() throws {
        guard 0...10_000 ~= flowMetrics else {
            throw ValidationError("--flow-metrics \(flowMetrics): a number from 0 to 10000 is needed")
        }
        if let http, http != "off" {
            do throws(ServerError) { _ = try ListenAddress(parsing: http) } catch {
                throw ValidationError("--http: \(error)")
            }
        }
        if let socket, socket != "off" {
            guard socket.hasPrefix("/"), socket.utf8.count <= 107 else {
                throw ValidationError("--socket '\(socket)': an absolute path of at most 107 bytes is needed, or off")
            }
        }
        guard (httpCertificate == nil) == (httpKey == nil) else {
            throw ValidationError("--http-certificate and --http-key belong together: give both, or none")
        }
        for (option, path) in [
            ("--http-token-file", httpTokenFile), ("--http-certificate", httpCertificate), ("--http-key", httpKey),
        ] where path == "" {
            throw ValidationError("\(option): the path is empty")
        }
    }

    /// Whether a port below 1024 is configured, which only privileged processes can bind.
    var bindsLowPort: Bool {
        guard let http, let address = try? ListenAddress(parsing: http) else { return false }
        return address.port > 0 && address.port < 1024
    }

    /// The server's configuration; nil if no server is configured.
    func configuration() throws -> HTTPServerConfiguration? {
        var configuration = HTTPServerConfiguration()
        if http != "off" {
            configuration.address = try http.map(ListenAddress.init(parsing:)) ?? HTTPServerConfiguration.defaultAddress
            configuration.isAddressRequired = http != nil
        }
        if socket != "off" {
            configuration.socketPath = socket ?? HTTPServerConfiguration.defaultSocketPath
            configuration.isSocketRequired = socket != nil
        }
        configuration.tokenPath = httpTokenFile
        configuration.certificatePath = httpCertificate
        configuration.keyPath = httpKey
        return configuration.address == nil && configuration.socketPath == nil ? nil : configuration
    }
}
