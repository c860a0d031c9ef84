import FlowModel

// Values that occur in objects of several kinds.
extension JSONReader {
    /// Reads an address; nil for null, the empty string, and the given word for "none".
    ///
    /// Other values are noted, and nil is returned.
    mutating func address(except word: StaticString = "") throws(JSONError) -> IPAddress? {
        let start = offset
        guard let text = try text(), !text.isEmpty, !(word ~= text) else { return nil }
        guard text.isAddressLike, let address = IPAddress(text.string) else {
            note("expected an address", at: start)
            return nil
        }
        return address
    }

    /// The addresses of an array of strings.
    mutating func addresses() throws(JSONError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        guard try enterArray() else { return addresses }
        while try nextElement() {
            if let address = try address() { addresses.append(address) }
        }
        return addresses
    }

    /// The addresses of an array of objects with the member `ip`.
    mutating func addressesOfMembers() throws(JSONError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        guard try enterArray() else { return addresses }
        while try nextElement() {
            guard try enterObject() else { continue }
            var found: IPAddress?
            while let key = try nextKey() {
                switch key {
                case "ip": found = try address()
                default: try skip()
                }
            }
            if let found { addresses.append(found) }
        }
        return addresses
    }

    /// Reads a range of addresses; nil if the value is none, with a note.
    mutating func prefix() throws(JSONError) -> IPPrefix? {
        let start = offset
        guard let text = try text() else { return nil }
        guard text.isAddressLike, let prefix = IPPrefix(text.string) else {
            note("expected a range of addresses as in 10.0.0.0/8", at: start)
            return nil
        }
        return prefix
    }

    /// Reads an optional range of addresses; nil for null and the empty string.
    ///
    /// If the value is not a range, it is noted and `isReadable` is false.
    mutating func optionalPrefix() throws(JSONError) -> (net: IPPrefix?, isReadable: Bool) {
        let start = offset
        guard let text = try text(), !text.isEmpty else { return (nil, true) }
        guard text.isAddressLike, let prefix = IPPrefix(text.string) else {
            note("expected a range of addresses as in 10.0.0.0/8", at: start)
            return (nil, false)
        }
        return (prefix, true)
    }

    /// Reads the ranges of an array of strings, and the number of its elements.
    mutating func prefixes() throws(JSONError) -> (prefixes: [IPPrefix], count: Int) {
        var prefixes: [IPPrefix] = []
        var count = 0
        guard try enterArray() else { return ([], 0) }
        while try nextElement() {
            count += 1
            if let prefix = try prefix() { prefixes.append(prefix) }
        }
        return (prefixes, count)
    }

    /// Reads a port number, 1 to 65535; nil for other values, with a note.
    ///
    /// With `orZero`, zero is nil without a note.
    mutating func port(orZero: Bool = false) throws(JSONError) -> UInt16? {
        let start = offset
        guard let number = try integer(), number != 0 || !orZero else { return nil }
        guard let port = UInt16(exactly: number), port > 0 else {
            note("expected a port, 1 to 65535", at: start)
            return nil
        }
        return port
    }

    /// Reads a protocol by its name in any case, or by its number from 1 to 255; nil for null.
    mutating func proto() throws(JSONError) -> ProtocolMatch? {
        let start = offset
        var found: ProtocolMatch?
        if isAtNumber {
            guard let number = try integer() else { return .unreadable }
            found = UInt8(exactly: number).flatMap { $0 == 0 ? nil : .number(IPProtocol(rawValue: $0)) }
        } else {
            guard let text = try text() else { return nil }
            found = text.proto.map { .number($0) }
        }
        if found == nil { note("expected a protocol: TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or 1 to 255", at: start) }
        return found ?? .unreadable
    }

    /// Reads a port with name and protocol, and its number under the given key; nil if the number or protocol is unreadable.
    ///
    /// With `fields`, members that they do not contain are noted.
    mutating func namedPort(
        number member: StaticString,
        of fields: FieldSet? = nil
    ) throws(JSONError) -> NamedPort? {
        guard try enterObject() else { return nil }
        var name: String?
        var number: UInt16?
        var proto: ProtocolMatch?
        while let key = try nextKey() {
            switch key {
            case "name": name = try nonEmptyString()
            case "protocol": proto = try self.proto()
            case member: number = try port()
            default:
                if let fields { try skip(key, of: fields) } else { try skip() }
            }
        }
        guard let number else { return nil }
        switch proto {
        case .number(let proto)?: return NamedPort(name: name, port: number, proto: proto)
        case nil: return NamedPort(name: name, port: number, proto: APIDefaults.proto)
        case .unreadable?: return nil
        }
    }

    /// The ports of an array.
    mutating func namedPorts(
        number member: StaticString,
        of fields: FieldSet? = nil
    ) throws(JSONError) -> [NamedPort] {
        var ports: [NamedPort] = []
        guard try enterArray() else { return ports }
        while try nextElement() {
            if let port = try namedPort(number: member, of: fields) { ports.append(port) }
        }
        return ports
    }
}

extension JSONText {
    /// Whether the text contains only characters of addresses and ranges.
    ///
    /// The C library would end the address at a zero byte, and ignore the rest.
    fileprivate var isAddressLike: Bool {
        guard !hasEscapes else { return false }
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "0")...UInt8(ascii: ":"),
                UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                continue
            default:
                return false
            }
        }
        return true
    }

    /// The protocol with this name in any case, or with this number in digits.
    fileprivate var proto: IPProtocol? {
        switch self {
        case "TCP": .tcp
        case "UDP": .udp
        case "SCTP": .sctp
        case "ICMP": .icmp
        case "ICMPv6": .icmp6
        default: Self.proto(named: string.lowercased())
        }
    }

    private static func proto(named name: String) -> IPProtocol? {
        switch name {
        case "tcp": .tcp
        case "udp": .udp
        case "sctp": .sctp
        case "icmp": .icmp
        case "icmpv6": .icmp6
        case "udplite": IPProtocol(rawValue: 136)
        default: name.hasPrefix("+") ? nil : UInt8(name).flatMap { $0 == 0 ? nil : IPProtocol(rawValue: $0) }
        }
    }
}
