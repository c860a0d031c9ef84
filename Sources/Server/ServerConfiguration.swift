/// The addresses of the HTTP server, and their protection.
package struct HTTPServerConfiguration: Sendable {
    /// The TCP address; nil for none.
    package var address: ListenAddress?
    /// Whether the run fails if the TCP address cannot be used; otherwise the error is logged.
    package var isAddressRequired = false
    /// The path of the Unix socket; nil for none.
    package var socketPath: String?
    /// Whether the run fails if the socket cannot be created; otherwise the error is logged.
    package var isSocketRequired = false
    /// A file with the bearer token that TCP requests need; nil for none.
    package var tokenPath: String?
    /// A file with the certificate chain in PEM, leaf first; nil for no TLS.
    package var certificatePath: String?
    /// A file with the private key in PEM; nil for no TLS.
    package var keyPath: String?
    /// A file with CA certificates in PEM, one of which must have signed the client's certificate; nil to require none.
    package var clientAuthorityPath: String?
    /// The maximum number of simultaneous connections of one remote address.
    ///
    /// An IPv6 address counts by its first 64 bits; addresses of this host have no limit.
    package var connectionsPerAddress = 48
    /// The maximum time from the start of a TCP connection to the end of its first request's headers, including the TLS
    /// handshake.
    var headLimit = Duration.seconds(10)

    /// The time in which a client must read some of a waiting response; it is then disconnected.
    var readLimit = Duration.seconds(60)

    /// No address and no socket.
    package init() {}

    /// The default address.
    package static let defaultAddress = ListenAddress(host: "127.0.0.1", port: 9464)
    /// The default socket.
    package static let defaultSocketPath = "/run/weir/weir.sock"
}

/// A TCP address to listen on.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address, or a host name.
    package var host: String
    /// The port; 0 if the system chooses it.
    package var port: UInt16

    /// Takes both members.
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Parses `127.0.0.1:9464`, `[::1]:9464`, `:9464` (all addresses) or `9464` (this host only).
    ///
    /// - Throws: ``ServerError/address(_:reason:)``.
    package init(parsing text: String) throws(ServerError) {
        let colon = text.lastIndex(of: ":")
        let digits = colon.map { text[text.index(after: $0)...] } ?? text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
            throw .address(text, reason: "the port is not a number from 0 to 65535")
        }
        guard let colon else {
            self.init(host: "127.0.0.1", port: port)
            return
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw .address(text, reason: "an IPv6 address needs brackets")
        }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x5b && $0 != 0x5d }) else {
            throw .address(text, reason: "the host contains what no address has")
        }
        self.init(host: host.isEmpty ? "::" : host, port: port)
    }

    /// The form that ``init(parsing:)`` accepts.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only programs on this host can reach the address.
    package var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" || host == "localhost" }
}
