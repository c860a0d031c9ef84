import CWeir
import FlowModel
import Glibc

/// Writes netlink messages, one or several after another: header, fixed part, attributes.
///
/// It keeps its storage when it is used again.
struct NetlinkWriter {
    /// The messages so far.
    private(set) var bytes: [UInt8] = []
    /// The start of the last message.
    private var start = 0

    /// Removes all messages.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Begins a request, and removes all previous messages.
    mutating func begin(type: UInt16, flags: Int32) {
        removeAll()
        beginNext(type: type, flags: flags)
    }

    /// Begins a request after the previous messages.
    mutating func beginNext(type: UInt16, flags: Int32) {
        start = bytes.count
        append(UInt32(0))
        append(type)
        append(UInt16(truncatingIfNeeded: flags))
        append(UInt32(0))
        append(UInt32(0))
    }

    /// Completes the header of the last message: the length, and the number that the answer will have.
    mutating func finish(sequence: UInt32) {
        store(UInt32(bytes.count - start), at: start)
        store(sequence, at: start + 8)
    }

    /// Appends a number in the machine's byte order.
    mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        for index in 0..<MemoryLayout<Value>.size {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: 8 * index)))
        }
    }

    /// Appends an attribute that is a number; one in network order is given as `bigEndian`.
    mutating func attribute<Value: FixedWidthInteger>(_ type: Int, _ value: Value) {
        append(UInt16(MemoryLayout<nlattr>.size + MemoryLayout<Value>.size))
        append(UInt16(truncatingIfNeeded: type))
        append(value)
        while bytes.count & 3 != 0 { bytes.append(0) }
    }

    /// Appends an attribute of up to 8 bytes, which a number holds in the order of reading: the last byte is the lowest.
    mutating func attribute(_ type: Int, bytes length: Int, _ value: UInt64) {
        append(UInt16(MemoryLayout<nlattr>.size + length))
        append(UInt16(truncatingIfNeeded: type))
        for index in (0..<length).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
        while bytes.count & 3 != 0 { bytes.append(0) }
    }

    /// Appends an attribute that is an address: 4 bytes or 16.
    mutating func attribute(_ type: Int, _ address: IPAddress) {
        if let ipv4 = address.ipv4 {
            attribute(type, ipv4.bigEndian)
        } else {
            append(UInt16(MemoryLayout<nlattr>.size + 16))
            append(UInt16(truncatingIfNeeded: type))
            let words = address.ipv6Words
            append(words.0)
            append(words.1)
        }
    }

    /// Appends an attribute that holds attributes.
    mutating func nested(_ type: Int, _ body: (inout NetlinkWriter) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(UInt16(truncatingIfNeeded: type) | UInt16(NLA_F_NESTED))
        body(&self)
        store(UInt16(bytes.count - start), at: start)
    }

    private mutating func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<MemoryLayout<Value>.size {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: 8 * index))
        }
    }
}
