import Posix

/// Where records go, as an operator writes it.
package enum OutputSpecification: Sendable, Hashable {
    /// Standard output.
    case standardOutput
    /// A file that is appended to.
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
    /// A server that takes records over HTTP.
    case http(HTTPDestination)
}

extension OutputSpecification: CustomStringConvertible {
    /// The form that ``init(parsing:)`` reads.
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

/// The reason why a text does not name an output.
package struct OutputSpecificationError: Error, Hashable, CustomStringConvertible {
    /// The text.
    package let text: String
    /// The reason why it is invalid.
    package let reason: String

    /// One line with the reason and the accepted forms.
    package var description: String {
        "output \"\(shownText)\": \(reason); the forms are stdout, file:PATH, unix:PATH, tcp:HOST:PORT, tls:HOST:PORT and "
            + "udp:HOST:PORT, with an IPv6 HOST in brackets, syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT and "
            + "syslog:tls:HOST:PORT, http://… and https://…, and elasticsearch:URL, opensearch:URL, clickhouse:URL, "
            + "loki:URL and splunk:URL"
    }

    /// The text without what may be a secret in a URL: user and password, and what follows `?`.
    private var shownText: String {
        guard let colon = text.firstIndex(of: ":"), text[colon...].contains("//") else { return text }
        var shown = text
        if let question = shown.firstIndex(of: "?") { shown = shown[..<question] + "?redacted" }
        guard let at = shown.lastIndex(of: "@"), let slash = shown.firstIndex(of: "/"), slash < at else { return shown }
        return shown[...slash] + "/redacted" + shown[at...]
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

    /// The reason, without the text.
    private struct Flaw: Error {
        let reason: String
    }

    private static func parse(_ text: String) throws(Flaw) -> OutputSpecification {
        if text == "stdout" { return .standardOutput }
        switch HTTPDestination.parse(text) {
        case nil: break
        case .success(let destination): return .http(destination)
        case .failure(let flaw): throw Flaw(reason: flaw.reason)
        }
        guard let colon = text.firstIndex(of: ":") else {
            throw Flaw(reason: text.isEmpty ? "it is empty" : "it has no kind before a colon")
        }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "file":
            // A file under this name would be opened again, and standard output's other text be overwritten.
            return TextFile.isStandardOutput(rest) ? .standardOutput : .file(path: try path(rest))
        case "unix": return .unix(path: try socketPath(rest))
        case "tcp":
            let (host, port) = try hostAndPort(rest)
            return .tcp(host: host, port: port)
        case "tls":
            let (host, port) = try hostAndPort(rest)
            return .tls(host: host, port: port)
        case "udp":
            let (host, port) = try hostAndPort(rest)
            return .udp(host: host, port: port)
        case "syslog":
            guard let colon = rest.firstIndex(of: ":"),
                let transport = SyslogTransport(rawValue: String(rest[..<colon]))
            else {
                throw Flaw(reason: "the form is syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT or syslog:tls:HOST:PORT")
            }
            let (host, port) = try hostAndPort(String(rest[rest.index(after: colon)...]))
            return .syslog(transport, host: host, port: port)
        case "stdout": throw Flaw(reason: "stdout takes nothing behind it")
        case let kind: throw Flaw(reason: "\"\(kind)\" is no kind of output")
        }
    }

    private static func path(_ text: String) throws(Flaw) -> String {
        guard !text.isEmpty else { throw Flaw(reason: "the path is empty") }
        guard !text.utf8.contains(0) else { throw Flaw(reason: "the path contains a zero byte") }
        return text
    }

    private static func socketPath(_ text: String) throws(Flaw) -> String {
        let path = try path(text)
        guard path.utf8.count <= SocketAddress.maximumPath else {
            throw Flaw(reason: "the path of a Unix socket has at most \(SocketAddress.maximumPath) bytes")
        }
        return path
    }

    private static func hostAndPort(_ text: String) throws(Flaw) -> (String, UInt16) {
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            throw Flaw(reason: "the port is missing")
        }
        let host = try host(String(text[..<colon]))
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else {
            throw Flaw(reason: "the port \"\(digits)\" is not a number from 1 to 65535")
        }
        return (host, port)
    }

    private static func host(_ text: String) throws(Flaw) -> String {
        var host = text
        if text.hasPrefix("["), text.hasSuffix("]") {
            host = String(text.dropFirst().dropLast())
            guard host.contains(":") else { throw Flaw(reason: "brackets are for IPv6 addresses only") }
        } else if text.contains(":") {
            throw Flaw(reason: "an IPv6 address needs brackets")
        }
        guard !host.isEmpty else { throw Flaw(reason: "the host is empty") }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x5b && $0 != 0x5d }) else {
            throw Flaw(reason: "the host \"\(host)\" contains what no host name has")
        }
        return host
    }
}
