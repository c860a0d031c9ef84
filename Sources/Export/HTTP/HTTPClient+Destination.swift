package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

extension HTTPClient {
    /// Creates a client for one server; it does not connect yet.
    ///
    /// - Parameters:
    ///   - destination: the server.
    ///   - options: the options of TLS.
    /// - Throws: an error if a file with certificates or keys cannot be used.
    package convenience init(_ destination: HTTPDestination, _ options: HTTPOptions) throws {
        var settings = HTTPClient.Configuration(
            tlsConfiguration: destination.isSecure ? try TLSConfiguration(client: options) : nil,
            // A redirect could send records and credentials to another server.
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10)),
            decompression: .disabled
        )
        settings.httpVersion = .http1Only
        settings.connectionPool.retryConnectionEstablishment = false
        if let name = options.serverName, let host = destination.host, name != host {
            // The certificate's name replaces the host in the URL; the connection still goes to the host.
            settings.dnsOverride = [name: host]
        }
        self.init(eventLoopGroup: EventLoops.shared, configuration: settings)
    }
}

extension HTTPDestination {
    /// The base URL; without a trailing slash if paths are appended to it.
    package func base(_ options: HTTPOptions) -> String {
        let url = url(withHost: options.serverName)
        return kind == .lines || !url.hasSuffix("/") ? url : String(url.dropLast())
    }
}

extension HTTPOptions {
    /// The authentication headers; the files with secrets are read on each call.
    ///
    /// - Parameter kind: the kind of server.
    /// - Returns: names and values.
    /// - Throws: an error if a file cannot be read.
    package func credentials(for kind: HTTPDestination.Kind) throws -> [(String, String)] {
        if let path = tokenFile {
            return [("authorization", "\(kind == .splunk ? "Splunk" : "Bearer") \(try SecretText.read(path))")]
        }
        if let path = apiKeyFile { return [("authorization", "ApiKey \(try SecretText.read(path))")] }
        guard let user else { return [] }
        let password = try passwordFile.map(SecretText.read) ?? ""
        return [("authorization", "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())")]
    }
}
