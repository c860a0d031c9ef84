import Foundation

/// A server that accepts records over HTTP, and the kind of its interface.
package struct HTTPDestination: Sendable, Hashable {
    /// The kind of a server's interface.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Lines of JSON: Vector, Fluent Bit, Logstash, OpenObserve.
        case lines = "http"
        /// The bulk interface of Elasticsearch.
        case elasticsearch
        /// The bulk interface of OpenSearch.
        case opensearch
        /// ClickHouse, with inserts into a table.
        case clickhouse
        /// The push interface of Loki.
        case loki
        /// The HTTP event collector of Splunk.
        case splunk
    }

    /// The kind of the server's interface.
    package let kind: Kind
    /// The URL: `http://HOST[:PORT][/PATH]` or `https://…`.
    package let url: String

    /// Whether records must contain host and time, which this kind of server expects from a shipper.
    package var expectsHost: Bool { kind != .lines }

    /// Whether the connection is encrypted.
    var isSecure: Bool { url.hasPrefix("https:") }

    /// The host in the URL; an IPv6 address is without brackets.
    var host: String? {
        URLComponents(string: url)?.host.map { $0.hasPrefix("[") ? String($0.dropFirst().dropLast()) : $0 }
    }

    /// The URL with another host name.
    func url(withHost name: String?) -> String {
        guard let name, var parts = URLComponents(string: url) else { return url }
        parts.host = name
        return parts.string ?? url
    }

    /// Parses the text of an output; nil if it is not an HTTP output.
    ///
    /// - Throws: the reason why it is invalid.
    static func parse(_ text: String) throws(AddressFlaw) -> HTTPDestination? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon]
        if scheme == "http" || scheme == "https" { return try check(.lines, text) }
        guard let kind = Kind(rawValue: String(scheme)) else { return nil }
        return try check(kind, String(text[text.index(after: colon)...]))
    }

    private static func check(_ kind: Kind, _ written: String) throws(AddressFlaw) -> HTTPDestination {
        let scheme = ["http://", "https://"].first { written.hasPrefix($0) }
        guard let scheme else { throw AddressFlaw(reason: "a URL is needed, as in \(kind.example)") }
        let rest = written.dropFirst(scheme.count)
        let place = rest.prefix { !"/?#".contains($0) }
        let path = rest[place.endIndex...]
        // The colon may end a second scheme (https://http://host), or a user name before a password with a slash.
        let isPortEmpty = place.hasSuffix(":") && !path.hasPrefix("//") && !path.contains("@")
        do {
            _ = try HostAndPort(parsing: String(place), mayHaveEmptyPort: isPortEmpty)
        } catch {
            // A slash in a password ends the part that is parsed as host and port; the error must not show the password.
            throw rest.contains("@") ? AddressFlaw.credentials : error
        }
        // A server must have only one name (RFC 3986, 6.2.3).
        let url = isPortEmpty ? scheme + place.dropLast() + path : written
        guard url.utf8.allSatisfy({ 0x21...0x7e ~= $0 }), URLComponents(string: url)?.host != nil else {
            throw AddressFlaw(reason: "a URL has no spaces, and what is not ASCII is written as in %C3%A4")
        }
        guard !url.contains("#") else { throw AddressFlaw(reason: "a URL with # names no server") }
        if kind != .lines, url.contains("?") {
            throw AddressFlaw(reason: "the URL ends before ?: parameters are options of the output")
        }
        return HTTPDestination(kind: kind, url: url)
    }
}

extension HTTPDestination.Kind {
    /// An example of an output of this kind, with the usual port.
    fileprivate var example: String {
        switch self {
        case .lines: "https://collector.example.org:8080/path"
        case .elasticsearch: "elasticsearch:https://search.example.org:9200"
        case .opensearch: "opensearch:https://search.example.org:9200"
        case .clickhouse: "clickhouse:http://db.example.org:8123"
        case .loki: "loki:http://loki.example.org:3100"
        case .splunk: "splunk:https://splunk.example.org:8088"
        }
    }
}

extension HTTPDestination: CustomStringConvertible {
    /// The operator's form, for logs, metrics and names, without the query, which may be a secret.
    package var description: String {
        let written = written
        return written.firstIndex(of: "?").map { "\(written[..<$0])?redacted" } ?? written
    }

    /// The complete form that the operator wrote.
    var written: String { kind == .lines ? url : "\(kind.rawValue):\(url)" }
}

/// The options of HTTP outputs, and of TLS for all outputs that use it.
package struct HTTPOptions: Sendable, Hashable {
    /// The time limit for a response.
    package var timeout = Duration.seconds(30)
    /// Whether bodies are compressed (gzip); nil for the default of the kind of server.
    package var isCompressing: Bool?
    /// The user of basic authentication.
    package var user: String?
    /// The file with the password, which is read for each request.
    package var passwordFile: String?
    /// The file with a bearer token (Splunk: the collector's token), which is read for each request.
    package var tokenFile: String?
    /// The file with an API key of Elasticsearch, which is read for each request.
    package var apiKeyFile: String?
    /// The file with CA certificates; nil for the system's.
    package var authorityFile: String?
    /// The file with the client's certificate chain.
    package var certificateFile: String?
    /// The file with the key of the client's certificate.
    package var keyFile: String?
    /// The name that the server's certificate must have; nil for the host name.
    package var serverName: String?
    /// The index or data stream of Elasticsearch, or Splunk's index; `{date}` is the record's day as in 20261128.
    package var index: String?
    /// Whether records count as delivered only when Splunk's indexers acknowledge them.
    package var waitsForIndexers = false
    /// The table of ClickHouse, with its database.
    package var table = "default.flows"
    /// The name of this host, for servers that expect it beside the records.
    package var hostName = ""
    /// The time after which a record is rejected that the server bars while it accepts others of the same batch.
    package var barredLimit = Duration.seconds(3600)
    /// The file for records that the server rejects permanently; nil to drop them.
    package var deadLetterPath: String?

    /// The defaults.
    package init() {}
}
