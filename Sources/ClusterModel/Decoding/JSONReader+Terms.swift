import FlowModel

// The values that objects of several kinds are made of.
extension JSONReader {
    /// An address; nil for null, the empty text and the text that is said to mean none, and if the value is no address,
    /// which is noted.
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

    /// A range of addresses; nil if the value is none, which is noted.
    mutating func prefix() throws(JSONError) -> IPPrefix? {
        let start = offset
        guard let text = try text() else { return nil }
        guard text.isAddressLike, let prefix = IPPrefix(text.string) else {
            note("expected a range of addresses as in 10.0.0.0/8", at: start)
            return nil
        }
        return prefix
    }

    /// A range of addresses, nil for null and the empty text; and false if the value is none, which is noted.
    mutating func optionalPrefix() throws(JSONError) -> (net: IPPrefix?, isReadable: Bool) {
        let start = offset
        guard let text = try text(), !text.isEmpty else { return (nil, true) }
        guard text.isAddressLike, let prefix = IPPrefix(text.string) else {
            note("expected a range of addresses as in 10.0.0.0/8", at: start)
            return (nil, false)
        }
        return (prefix, true)
    }

    /// The ranges of an array of strings, and how many elements the array has.
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

    /// A port's number, 1 to 65535; nil for a zero that may be there, and if the value is no port, which is noted.
    mutating func port(orZero: Bool = false) throws(JSONError) -> UInt16? {
        let start = offset
        guard let number = try integer(), number != 0 || !orZero else { return nil }
        guard let port = UInt16(exactly: number), port > 0 else {
            note("expected a port, 1 to 65535", at: start)
            return nil
        }
        return port
    }

    /// A protocol by its name in any case, or by its number from 1 to 255; nil for null.
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

    /// A port with name and protocol, its number under the given key; nil if it has no number that can be read.
    ///
    /// What a port of these fields may not have is noted; without fields nothing is.
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
    /// Whether it is made of what addresses and ranges are made of.
    ///
    /// A zero byte within would end the address for the C library, and hide what is behind it.
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

    /// The protocol that it names, in the case that servers write or any other; or its number in digits.
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
