package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

extension HTTPClient {
    /// Makes a client for one server, without a connection.
    ///
    /// - Parameters:
    ///   - destination: the server.
    ///   - options: certificates and names of TLS.
    /// - Throws: why a file of certificates or keys cannot be used.
    package convenience init(_ destination: HTTPDestination, _ options: HTTPOptions) throws {
        var settings = HTTPClient.Configuration(
            tlsConfiguration: destination.isSecure ? try TLSConfiguration(client: options) : nil,
            // A redirect could lead records and credentials elsewhere.
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10)),
            decompression: .disabled
        )
        settings.httpVersion = .http1Only
        settings.connectionPool.retryConnectionEstablishment = false
        if let name = options.serverName, let host = destination.host, name != host {
            // The certificate's name takes the host's place in the URL, and the connection goes to the host.
            settings.dnsOverride = [name: host]
        }
        self.init(eventLoopGroup: EventLoops.shared, configuration: settings)
    }
}

extension HTTPDestination {
    /// The URL, without a slash at its end where a path follows.
    package func base(_ options: HTTPOptions) -> String {
        let url = url(withHost: options.serverName)
        return kind == .lines || !url.hasSuffix("/") ? url : String(url.dropLast())
    }
}

extension HTTPOptions {
    /// The authentication headers; secrets are read from their files on each call.
    ///
    /// - Parameter kind: the kind of server.
    /// - Returns: names and values.
    /// - Throws: why a file cannot be read.
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
