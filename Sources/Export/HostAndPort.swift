import Glibc

/// A host and a port in the form `HOST:PORT`, with an IPv6 address in brackets.
struct HostAndPort {
    /// A host name or an address; an IPv6 address is without brackets.
    let host: String
    /// The port; nil if there is none.
    let port: UInt16?

    /// Parses a text.
    ///
    ///   - mayHaveEmptyPort: whether an empty text after the colon means no port, as in URLs (RFC 3986, 3.2.3).
    ///   - text: the text.
    ///   - mayHaveEmptyPort: whether nothing behind the colon means no port, as in URLs (RFC 3986, 3.2.3).
    /// - Throws: the reason why it is malformed.
    init(parsing text: String, mayHaveEmptyPort: Bool = false) throws(AddressFlaw) {
        if text.contains("@") { throw AddressFlaw.credentials }
        if let space = text.unicodeScalars.first(where: { $0.value <= 0x20 || $0.value == 0x7f }) {
            throw AddressFlaw(reason: space == " " ? "the address has a space" : "the address has a control character")
        }
        var host = text[...]
        var port: UInt16?
        if !text.hasSuffix("]"), let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            let digits = text[text.index(after: colon)...]
            port = digits.isEmpty && mayHaveEmptyPort ? nil : try Self.port(digits)
        }
        self.host = try Self.host(host)
        self.port = port
    }

    private static func port(_ digits: Substring) throws(AddressFlaw) -> UInt16 {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else {
            throw AddressFlaw(reason: "the port \"\(digits)\" is not a number from 1 to 65535")
        }
        return port
    }

    private static func host(_ text: Substring) throws(AddressFlaw) -> String {
        guard text.hasPrefix("["), text.hasSuffix("]") else {
            if text.contains(":") { throw AddressFlaw(reason: "an IPv6 address needs brackets") }
            if let reason = flaw(inName: text) { throw AddressFlaw(reason: reason) }
            return String(text)
        }
        let inner = text.dropFirst().dropLast()
        guard inner.contains(":") else { throw AddressFlaw(reason: "brackets are for IPv6 addresses only") }
        let parts = inner.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        let zone = parts.count > 1 ? parts[1] : "-"
        guard isAddress(AF_INET6, parts[0]), !zone.isEmpty, !zone.contains("/") else {
            throw AddressFlaw(reason: "\"\(inner)\" is no IPv6 address")
        }
        return String(inner)
    }

    /// Returns the error in a host name or an IPv4 address; nil if there is none.
    ///
    /// The rules are those of RFC 1123, 2.1; underscores are allowed because names of containers have them.
    private static func flaw(inName name: Substring) -> String? {
        if name.isEmpty { return "the host is empty" }
        let allowed = { (byte: UInt8) in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
        guard name.utf8.allSatisfy(allowed) else { return "the host \"\(name)\" contains what no host name has" }
        let whole = name.hasSuffix(".") ? name.dropLast() : name
        let labels = whole.split(separator: ".", omittingEmptySubsequences: false)
        guard whole.utf8.count <= 253, labels.allSatisfy({ 1...63 ~= $0.utf8.count }) else {
            return "the host \"\(name)\" is no host name: labels between dots have 1 to 63 characters, all together 253"
        }
        // As in URLs, a name that ends in a number must be an IPv4 address; resolvers accept short forms for other addresses.
        if let last = labels.last, last.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), !isAddress(AF_INET, name) {
            return "\"\(name)\" is no IPv4 address"
        }
        return nil
    }

    private static func isAddress(_ family: Int32, _ text: Substring) -> Bool {
        var bytes = in6_addr()
        return inet_pton(family, String(text), &bytes) == 1
    }
}

/// The reason why the address of an output is malformed.
struct AddressFlaw: Error {
    let reason: String

    /// The texts of outputs appear in logs and in lists of processes.
    static let credentials = AddressFlaw(
        reason: "credentials do not belong into an address: use user= and password-file=, or token-file="
    )
}
