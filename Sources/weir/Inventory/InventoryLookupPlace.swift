import ArgumentParser
import FlowModel

/// An address to look up, with an optional port and protocol.
struct LookupPlace: Sendable {
    /// The text as given.
    let text: String
    /// The address.
    let address: IPAddress
    /// The port; nil for all.
    let port: UInt16?
    /// The protocol; nil for all.
    let proto: IPProtocol?

    /// Parses `ADDRESS`, `ADDRESS:PORT` or `ADDRESS:PORT/PROTO`; an IPv6 address with a port is written in brackets.
    init(parsing text: String) throws {
        self.text = text
        let (address, rest) = try Self.split(text)
        self.address = try Self.address(parsing: address)
        guard let rest else {
            (port, proto) = (nil, nil)
            return
        }
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let port = parts.first.flatMap({ UInt16($0) }), port > 0, parts[0].utf8.first != UInt8(ascii: "+") else {
            throw ValidationError("'\(text)': the port must be a number from 1 to 65535")
        }
        self.port = port
        proto = try parts.count == 2 ? Self.proto(String(parts[1]), in: text) : nil
    }

    /// Parses an address without a port.
    static func address(parsing text: String) throws -> IPAddress {
        if let address = IPAddress(text) { return address }
        let hint =
            if text.split(separator: ":").count > 2 {
                "; with a port, an IPv6 address is written in brackets: [fd00::1]:53/udp"
            } else if text.contains("/") {
                "; a range cannot be looked up, and a protocol follows a port: 10.0.0.1:53/udp"
            } else if text.contains(where: \.isLetter) {
                "; names are not looked up"
            } else {
                ""
            }
        throw ValidationError("'\(text)' is no address\(hint)")
    }

    /// The text of the address, and the text after the colon that follows it.
    private static func split(_ text: String) throws -> (address: String, rest: Substring?) {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw ValidationError("'\(text)': the bracket is not closed")
            }
            let address = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            guard address.contains(":") else {
                throw ValidationError("'\(text)': brackets are for IPv6 addresses")
            }
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw ValidationError("'\(text)': behind the bracket, ':PORT' is expected")
            }
            return (address, rest.isEmpty ? nil : rest.dropFirst())
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? (String(parts[0]), parts[1]) : (text, nil)
    }

    private static func proto(_ name: String, in text: String) throws -> IPProtocol {
        switch name.lowercased() {
        case "tcp": .tcp
        case "udp": .udp
        case "sctp": .sctp
        default: throw ValidationError("'\(text)': the protocol must be tcp, udp or sctp")
        }
    }
}
