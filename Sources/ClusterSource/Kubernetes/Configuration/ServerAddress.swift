import Foundation

/// The address of an API server.
struct ServerAddress: Sendable, Hashable {
    /// Whether the connection uses TLS.
    var isSecure: Bool
    /// A host name or an address; IPv6 without brackets.
    var host: String
    /// The TCP port.
    var port: Int
    /// The part of the path before `/api`, as in `/k8s/clusters/c-1`; empty, or without a final slash.
    var prefix: String

    /// Takes all members.
    init(isSecure: Bool, host: String, port: Int, prefix: String = "") {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.prefix = prefix
    }

    /// Parses a URL such as `https://10.0.0.1:6443`; nil if it is not a URL of http or https.
    ///
    /// Without a scheme it is http, as in client-go.
    init?(_ text: String) {
        let url = text.contains("://") ? text : "http://" + text
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            scheme == "https" || scheme == "http", let name = parts.host, !name.isEmpty,
            parts.user == nil, parts.query == nil, parts.fragment == nil
        else { return nil }
        let port = parts.port ?? (scheme == "https" ? 443 : 80)
        guard 1...65535 ~= port else { return nil }
        self.init(
            isSecure: scheme == "https",
            host: name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : name,
            port: port,
            prefix: String(parts.percentEncodedPath.reversed().drop { $0 == "/" }.reversed())
        )
    }

    /// Host and port as in a URL, with IPv6 in brackets.
    var authority: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension ServerAddress: CustomStringConvertible {
    /// A text such as `https://10.0.0.1:6443`.
    var description: String {
        "\(isSecure ? "https" : "http")://\(authority)\(prefix)"
    }
}
