/// Messages of netlink(7), in the byte order of the machine (this one is little-endian).
enum Message {
    static func little(_ number: UInt16) -> [UInt8] { [UInt8(number & 0xff), UInt8(number >> 8)] }

    static func little(_ number: UInt32) -> [UInt8] {
        little(UInt16(truncatingIfNeeded: number)) + little(UInt16(truncatingIfNeeded: number >> 16))
    }

    /// struct nlmsghdr: length with the header, type, flags, sequence number, port; then the body, padded to 4 bytes.
    static func message(
        _ type: UInt16,
        flags: UInt16 = 0,
        length: UInt32? = nil,
        sequence: UInt32 = 7,
        _ body: [UInt8]
    ) -> [UInt8] {
        let header = little(length ?? UInt32(16 + body.count)) + little(type) + little(flags)
        return header + little(sequence) + little(UInt32(0)) + padded(body)
    }

    /// NLMSG_ERROR (2): an errno, negated, and the header of the request.
    static func error(_ errno: Int32, sequence: UInt32 = 7) -> [UInt8] {
        message(2, sequence: sequence, little(UInt32(bitPattern: -errno)) + [UInt8](repeating: 0, count: 16))
    }

    /// struct rtattr: length with the header, type; then the value, padded to 4 bytes.
    static func attribute(_ type: UInt16, length: UInt16? = nil, _ value: [UInt8]) -> [UInt8] {
        little(length ?? UInt16(4 + value.count)) + little(type) + padded(value)
    }

    static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    /// struct ifinfomsg: family, padding, ARPHRD type, index, flags, change mask; then attributes.
    static func link(
        type: UInt16 = 16,
        family: UInt8 = 0,
        hardware: UInt16 = 1,
        index: UInt32 = 5,
        flags: UInt32 = 0x1043,
        _ attributes: [UInt8]
    ) -> [UInt8] {
        message(type, [family, 0] + little(hardware) + little(index) + little(flags) + little(UInt32.max) + attributes)
    }

    /// struct ifaddrmsg: family, prefix length, flags, scope, index; then attributes.
    static func address(_ type: UInt16, family: UInt8, prefix: UInt8, index: UInt32, _ attributes: [UInt8]) -> [UInt8] {
        message(type, [family, prefix, 0x80, 0] + little(index) + attributes)
    }

    /// IFLA_IFNAME (3): the name with a zero.
    static func name(_ name: String) -> [UInt8] { attribute(3, Array(name.utf8) + [0]) }

    /// IFLA_LINKINFO (18), nested: IFLA_INFO_KIND (1), the kind's name with a zero.
    static func kind(_ kind: String) -> [UInt8] { attribute(18, attribute(1, Array(kind.utf8) + [0])) }

    /// IFLA_LINK (5): the index of the lower device, or of a veth's peer.
    static func lower(_ index: UInt32) -> [UInt8] { attribute(5, little(index)) }

    /// IFLA_MASTER (10): the index of the bridge or bond.
    static func master(_ index: UInt32) -> [UInt8] { attribute(10, little(index)) }

    /// struct rtmsg: family, length of the destination and of the source, TOS, table (main: 254), protocol, scope, type
    /// (unicast: 1), flags; then attributes.
    static func route(
        message type: UInt16 = 24,
        family: UInt8 = 2,
        length: UInt8 = 32,
        kind: UInt8 = 1,
        flags: UInt32 = 0,
        _ attributes: [UInt8]
    ) -> [UInt8] {
        message(type, [family, length, 0, 0, 254, 3, 253, kind] + little(flags) + attributes)
    }

    /// RTA_DST (1): where the route leads.
    static func destination(_ address: [UInt8]) -> [UInt8] { attribute(1, address) }

    /// RTA_OIF (4): the interface through which it leads there.
    static func output(_ index: UInt32) -> [UInt8] { attribute(4, little(index)) }

    /// Damages a message somewhere.
    static func damage(_ message: inout [UInt8], _ numbers: inout RepeatableNumbers) {
        let place = Int.random(in: 0..<message.count, using: &numbers)
        switch Int.random(in: 0..<5, using: &numbers) {
        case 0: message[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
        case 1: message[place] = UInt8.random(in: 0...255, using: &numbers)
        case 2: message[place] = [0, 1, 3, 4, 5, 8, 0xff].randomElement(using: &numbers) ?? 0
        case 3 where message.count > 16: message.removeLast(min(message.count - 16, 4))
        default:
            message += [UInt8.random(in: 0...20, using: &numbers), 0, UInt8.random(in: 0...40, using: &numbers), 0]
        }
    }
}
