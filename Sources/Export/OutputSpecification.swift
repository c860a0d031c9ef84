import Posix

/// The destination of records, in the form that an operator writes.
package enum OutputSpecification: Sendable, Hashable {
    /// Standard output.
    case standardOutput
    /// A file to which records are appended.
    case file(path: String)
    /// A Unix stream socket on which a reader listens.
    case unix(path: String)
    /// A TCP port on which a reader listens.
    case tcp(host: String, port: UInt16)
    /// A TCP port on which a TLS server listens.
    case tls(host: String, port: UInt16)
    /// A UDP port on which a reader listens.
    case udp(host: String, port: UInt16)
    /// A receiver of syslog.
    case syslog(SyslogTransport, host: String, port: UInt16)
    /// A server that accepts records over HTTP.
    case http(HTTPDestination)
}

extension OutputSpecification: CustomStringConvertible {
    /// The form that ``init(parsing:)`` accepts.
    package var description: String {
        switch self {
        case .standardOutput: "stdout"
        case .file(let path): "file:\(path)"
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): "tcp:\(Self.bracketed(host)):\(port)"
        case .tls(let host, let port): "tls:\(Self.bracketed(host)):\(port)"
        case .udp(let host, let port): "udp:\(Self.bracketed(host)):\(port)"
        case .syslog(let transport, let host, let port):
            "syslog:\(transport.rawValue):\(Self.bracketed(host)):\(port)"
        case .http(let destination): "\(destination)"
        }
    }

    private static func bracketed(_ host: String) -> String {
        host.contains(":") ? "[\(host)]" : host
    }
}

/// The reason why a text is not an output.
package struct OutputSpecificationError: Error, Hashable, CustomStringConvertible {
    /// The text.
    package let text: String
    /// The reason why it is invalid.
    package let reason: String

    /// The reason and the accepted forms, in one line.
    package var description: String {
        "output \"\(shownText)\": \(reason); the forms are stdout, file:PATH, unix:PATH, tcp:HOST:PORT, tls:HOST:PORT and "
            + "udp:HOST:PORT, with an IPv6 HOST in brackets, syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT and "
            + "syslog:tls:HOST:PORT, http://… and https://…, and elasticsearch:URL, opensearch:URL, clickhouse:URL, "
            + "loki:URL and splunk:URL"
    }

    /// The text without parts of a URL that may be secret: user and password, and the query.
    private var shownText: String {
        guard let colon = text.firstIndex(of: ":"), !["file", "unix"].contains(text[..<colon]) else { return text }
        guard text[colon...].contains("//") else {
            return text.lastIndex(of: "@").map { "\(text[...colon])redacted\(text[$0...])" } ?? text
        }
        let question = text.firstIndex(of: "?") ?? text.endIndex
        guard let at = text.lastIndex(of: "@"), let slash = text.firstIndex(of: "/"), slash < at else {
            return question == text.endIndex ? text : "\(text[..<question])?redacted"
        }
        // A password may contain a question mark, and a query an at sign.
        guard at < question else { return "\(text[...slash])/redacted" }
        return "\(text[...slash])/redacted\(text[at..<question])" + (question == text.endIndex ? "" : "?redacted")
    }
}

// MARK: - Parsing

extension OutputSpecification {
    /// Parses one of the forms that ``OutputSpecificationError`` lists.
    ///
    /// - Throws: an error with the reason and the accepted forms.
    package init(parsing text: String) throws(OutputSpecificationError) {
        do {
            self = try Self.parse(text)
        } catch {
            throw OutputSpecificationError(text: text, reason: error.reason)
        }
    }

    private typealias Flaw = AddressFlaw

    private static func parse(_ text: String) throws(AddressFlaw) -> OutputSpecification {
        if text == "stdout" { return .standardOutput }
        if let destination = try HTTPDestination.parse(text) { return .http(destination) }
        guard let colon = text.firstIndex(of: ":") else {
            throw Flaw(reason: text.isEmpty ? "it is empty" : "it has no kind before a colon")
        }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "file":
            // A file under this name would be opened a second time, and overwrite other text of standard output.
            return TextFile.isStandardOutput(rest) ? .standardOutput : .file(path: try path(rest))
        case "unix": return .unix(path: try socketPath(rest))
        case "tcp":
            let (host, port) = try hostAndPort(rest, "tcp")
            return .tcp(host: host, port: port)
        case "tls":
            let (host, port) = try hostAndPort(rest, "tls")
            return .tls(host: host, port: port)
        case "udp":
            let (host, port) = try hostAndPort(rest, "udp")
            return .udp(host: host, port: port)
        case "syslog":
            guard let colon = rest.firstIndex(of: ":"),
                let transport = SyslogTransport(rawValue: String(rest[..<colon]))
            else {
                throw Flaw(reason: "the form is syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT or syslog:tls:HOST:PORT")
            }
            let place = String(rest[rest.index(after: colon)...])
            let (host, port) = try hostAndPort(place, "syslog:\(transport.rawValue)")
            return .syslog(transport, host: host, port: port)
        case "stdout": throw Flaw(reason: "stdout takes nothing behind it")
        case let kind: throw Flaw(reason: "\"\(kind)\" is no kind of output")
        }
    }

    private static func path(_ text: String) throws(Flaw) -> String {
        guard !text.isEmpty else { throw Flaw(reason: "the path is empty") }
        guard !text.utf8.contains(0) else { throw Flaw(reason: "the path contains a zero byte") }
        guard !text.hasPrefix("//") else {
            throw Flaw(reason: "the path begins with two slashes: the form is file:/var/log/flows.log, without //")
        }
        guard text.first?.isWhitespace == false, text.last?.isWhitespace == false else {
            throw Flaw(reason: "the path begins or ends with a space")
        }
        guard !text.hasSuffix("/") else { throw Flaw(reason: "the path ends with a slash, and names a folder") }
        return text
    }

    private static func socketPath(_ text: String) throws(Flaw) -> String {
        let path = try path(text)
        guard path.utf8.count <= SocketAddress.maximumPath else {
            throw Flaw(reason: "the path of a Unix socket has at most \(SocketAddress.maximumPath) bytes")
        }
        return path
    }

    private static func hostAndPort(_ text: String, _ kind: String) throws(Flaw) -> (String, UInt16) {
        let form = "the form is \(kind):HOST:PORT"
        guard !text.contains("/") else { throw Flaw(reason: "\(form), without slashes") }
        guard !text.isEmpty else { throw Flaw(reason: "host and port are missing; \(form)") }
        let place = try HostAndPort(parsing: text)
        guard let port = place.port else { throw Flaw(reason: "the port is missing; \(form)") }
        return (place.host, port)
    }
}
