import Foundation

/// A server that takes records over HTTP, and what it wants to be told.
public struct HTTPDestination: Sendable, Hashable {
    /// What a server understands.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Lines of JSON: Vector, Fluent Bit, Logstash, OpenObserve.
        case lines = "http"
        /// The bulk interface of Elasticsearch.
        case elasticsearch
        /// The same of OpenSearch.
        case opensearch
        /// Inserts into a table of ClickHouse.
        case clickhouse
        /// The push interface of Loki.
        case loki
        /// The HTTP event collector of Splunk.
        case splunk
    }

    /// What the server understands.
    public let kind: Kind
    /// Where it is: `http://HOST[:PORT][/PATH]` or `https://…`.
    public let url: String

    /// Whether records carry host and time themselves, which such servers expect of a shipper.
    public var expectsHost: Bool { kind != .lines }

    /// Whether the connection is encrypted.
    var isSecure: Bool { url.hasPrefix("https:") }

    /// The host that the URL names; an IPv6 address is without brackets.
    var host: String? {
        URLComponents(string: url)?.host.map { $0.hasPrefix("[") ? String($0.dropFirst().dropLast()) : $0 }
    }

    /// The URL with another host's name in it.
    func url(withHost name: String?) -> String {
        guard let name, var parts = URLComponents(string: url) else { return url }
        parts.host = name
        return parts.string ?? url
    }

    /// Reads the text of an output; nil if it is none over HTTP.
    ///
    /// - Returns: the destination, or what is wrong with it.
    static func parse(_ text: String) -> Result<HTTPDestination, HTTPDestinationFlaw>? {
        if text.hasPrefix("http://") || text.hasPrefix("https://") { return check(.lines, text) }
        guard let colon = text.firstIndex(of: ":"), let kind = Kind(rawValue: String(text[..<colon])) else {
            return nil
        }
        return check(kind, String(text[text.index(after: colon)...]))
    }

    private static func check(_ kind: Kind, _ url: String) -> Result<HTTPDestination, HTTPDestinationFlaw> {
        guard let parts = URLComponents(string: url), parts.scheme == "http" || parts.scheme == "https" else {
            return .failure(HTTPDestinationFlaw(reason: "a URL is needed, as in \(kind.rawValue):https://host:9200"))
        }
        guard let host = parts.host, !host.isEmpty else {
            return .failure(HTTPDestinationFlaw(reason: "the host is empty"))
        }
        guard parts.user == nil, parts.password == nil else {
            // Texts of outputs are in logs and lists of processes.
            let reason = "credentials do not belong into a URL: use user= and password-file=, or token-file="
            return .failure(HTTPDestinationFlaw(reason: reason))
        }
        guard parts.fragment == nil else {
            return .failure(HTTPDestinationFlaw(reason: "a URL with # names no server"))
        }
        if kind != .lines, parts.query != nil {
            return .failure(HTTPDestinationFlaw(reason: "the URL ends before ?: parameters are options of the output"))
        }
        return .success(HTTPDestination(kind: kind, url: url))
    }
}

/// What is wrong with a destination.
struct HTTPDestinationFlaw: Error {
    let reason: String
}

extension HTTPDestination: CustomStringConvertible {
    /// The form that an operator writes, for logs, metrics and names: what follows `?` may be a secret and is not shown.
    public var description: String {
        let written = written
        return written.firstIndex(of: "?").map { "\(written[..<$0])?redacted" } ?? written
    }

    /// The form that an operator writes, with everything that is in it.
    var written: String { kind == .lines ? url : "\(kind.rawValue):\(url)" }
}

/// How records go to a server over HTTP, and what TLS asks for wherever it is spoken.
public struct HTTPOptions: Sendable, Hashable {
    /// How long an answer may take.
    public var timeout = Duration.seconds(30)
    /// Whether bodies are compressed (gzip); nil: as the kind of server takes it.
    public var isCompressing: Bool?
    /// The user of basic authentication.
    public var user: String?
    /// The file with the password, which is read for each request.
    public var passwordFile: String?
    /// The file with a bearer token (Splunk: the collector's token), which is read for each request.
    public var tokenFile: String?
    /// The file with an API key of Elasticsearch, which is read for each request.
    public var apiKeyFile: String?
    /// The file with certificates of authorities; nil: those of the system.
    public var authorityFile: String?
    /// The file with the client's certificate and those of its authorities.
    public var certificateFile: String?
    /// The file with the key of the client's certificate.
    public var keyFile: String?
    /// The name that the server's certificate must have; nil: the host's.
    public var serverName: String?
    /// The index or data stream of Elasticsearch, or Splunk's index; `{date}` is the record's day as in 20261128.
    public var index: String?
    /// Whether records count as delivered only when Splunk's indexers have them.
    public var waitsForIndexers = false
    /// The table of ClickHouse, with its database.
    public var table = "default.flows"
    /// The host's name, for servers that want it beside the records.
    public var hostName = ""
    /// The file for records that the server refuses; nil: they are dropped.
    public var deadLetterPath: String?

    /// The defaults.
    public init() {}
}
