import CWeir
import FlowModel
import Glibc

/// A datagram of netlink(7): its messages, and the attributes in them.
///
/// Iteration over any bytes terminates and reads nothing outside of them; a message or attribute that is cut off ends it.
struct NetlinkBytes {
    private let bytes: [UInt8]
    /// The start of the datagram in the buffer.
    private let start: Int
    /// The end of the datagram in the buffer.
    let count: Int

    /// Takes the first `count` bytes of a buffer, by default all.
    init(_ bytes: [UInt8], count: Int? = nil) {
        self.init(bytes, 0..<min(bytes.count, max(0, count ?? bytes.count)))
    }

    /// Takes a part of a buffer.
    init(_ bytes: [UInt8], _ range: Range<Int>) {
        let range = range.clamped(to: 0..<bytes.count)
        self.bytes = bytes
        start = range.lowerBound
        count = range.upperBound
    }

    /// A message (`nlmsghdr`).
    struct Message {
        /// Its type (`RTM_*`, `NLMSG_*`, or subsystem and message of netfilter).
        var type: UInt16
        /// Flags (`NLM_F_*`).
        var flags: UInt16
        /// The sequence number of the request that it answers.
        var sequence: UInt32
        /// The range of the bytes after the header.
        var body: Range<Int>
    }

    /// An attribute (`nlattr`, which is the same as `rtattr`).
    struct Attribute {
        /// Its type, without the two high bits for "nested" and "network order" (NLA_TYPE_MASK).
        var type: Int
        /// The range of the attribute's value.
        var value: Range<Int>
    }

    /// The messages, in order.
    var messages: Messages { Messages(self) }

    /// The attributes of a range, in order.
    func attributes(_ range: Range<Int>) -> Attributes { Attributes(self, range) }

    // MARK: Values

    /// Returns a number in the machine's byte order, which netlink uses; nil if it is not in the datagram.
    func load<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value? {
        let size = MemoryLayout<Value>.size
        guard offset >= 0, offset + size <= count else { return nil }
        var value: Value = 0
        for index in 0..<size {
            value |= Value(truncatingIfNeeded: bytes[offset + index]) << Value(truncatingIfNeeded: 8 * index)
        }
        return value
    }

    /// A number that starts a range; nil if the range is too short for it.
    func number<Value: FixedWidthInteger>(_ type: Value.Type, _ range: Range<Int>) -> Value? {
        range.count >= MemoryLayout<Value>.size ? load(type, at: range.lowerBound) : nil
    }

    /// A range up to its first zero, as UTF-8.
    func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range.clamped(to: 0..<count)].prefix { $0 != 0 }, as: UTF8.self)
    }

    /// A range of 4 or 16 bytes as an address; nil for any other.
    func address(_ range: Range<Int>) -> IPAddress? {
        switch range.count {
        case 4: load(UInt32.self, at: range.lowerBound).map { IPAddress(ipv4: UInt32(bigEndian: $0)) }
        case 16:
            load(UInt64.self, at: range.lowerBound).flatMap { first in
                load(UInt64.self, at: range.lowerBound + 8).map { IPAddress(ipv6Word0: first, word1: $0) }
            }
        default: nil
        }
    }
}

extension NetlinkBytes {
    /// Walks the messages of a datagram.
    struct Messages: Sequence, IteratorProtocol {
        private let bytes: NetlinkBytes
        private var offset: Int

        fileprivate init(_ bytes: NetlinkBytes) {
            self.bytes = bytes
            offset = bytes.start
        }

        /// Returns the next complete message.
        mutating func next() -> Message? {
            let header = MemoryLayout<nlmsghdr>.size
            guard let length = bytes.load(UInt32.self, at: offset), length >= header,
                offset + Int(length) <= bytes.count,
                let type = bytes.load(UInt16.self, at: offset + 4),
                let flags = bytes.load(UInt16.self, at: offset + 6),
                let sequence = bytes.load(UInt32.self, at: offset + 8)
            else { return nil }
            let body = offset + header..<offset + Int(length)
            offset += NetlinkBytes.aligned(Int(length))
            return Message(type: type, flags: flags, sequence: sequence, body: body)
        }
    }

    /// Walks the attributes of a range.
    struct Attributes: Sequence, IteratorProtocol {
        private let bytes: NetlinkBytes
        private var offset: Int
        private let end: Int

        fileprivate init(_ bytes: NetlinkBytes, _ range: Range<Int>) {
            self.bytes = bytes
            offset = range.lowerBound
            end = Swift.min(range.upperBound, bytes.count)
        }

        /// Returns the next complete attribute.
        mutating func next() -> Attribute? {
            let header = MemoryLayout<nlattr>.size
            guard offset + header <= end, let length = bytes.load(UInt16.self, at: offset),
                let type = bytes.load(UInt16.self, at: offset + 2), Int(length) >= header,
                offset + Int(length) <= end
            else { return nil }
            let value = offset + header..<offset + Int(length)
            offset += NetlinkBytes.aligned(Int(length))
            return Attribute(type: Int(type & 0x3fff), value: value)
        }
    }

    /// Messages and attributes start at multiples of 4 (NLMSG_ALIGN, NLA_ALIGN).
    static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }
}
