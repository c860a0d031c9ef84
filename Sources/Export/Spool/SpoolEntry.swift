import CZlib
import Posix

/// A batch as it lies in a segment of a spool: a head with a checksum, then the lines.
///
/// Numbers are little-endian: length 4, checksum 4 (CRC-32 of all behind it), number of the batch 8, records 4, rank 4.
enum SpoolEntry {
    /// The head's size in bytes.
    static let headBytes = 24
    /// The maximum size of a batch's lines, in bytes; a larger length means damage.
    static let limit = 64 << 20

    /// The bytes of a batch.
    static func bytes(of batch: RecordBatch) -> [UInt8] {
        var facts: [UInt8] = []
        append(batch.number, 8, to: &facts)
        append(UInt64(batch.records), 4, to: &facts)
        append(UInt64(batch.rank), 4, to: &facts)
        var entry: [UInt8] = []
        entry.reserveCapacity(headBytes + batch.bytes.count)
        append(UInt64(batch.bytes.count), 4, to: &entry)
        append(UInt64(checksum(batch.bytes, after: checksum(facts))), 4, to: &entry)
        entry += facts
        entry += batch.bytes
        return entry
    }

    /// The content at an offset of a segment.
    enum Reading {
        /// A batch, and the size of its entry in bytes.
        case batch(RecordBatch, size: Int)
        /// A damaged entry, and the offset where the next one may begin; nil if the rest cannot be read.
        case damaged(next: Int?)
        /// The end.
        case end
    }

    /// Reads the entry at an offset.
    static func read(_ file: borrowing FileDescriptor, at offset: Int) throws(SystemError) -> Reading {
        let head = try file.read(headBytes, at: offset)
        guard !head.isEmpty else { return .end }
        guard head.count == headBytes else { return .damaged(next: nil) }
        let length = Int(number(head[0..<4]))
        guard length <= limit else { return .damaged(next: nil) }
        let body = try file.read(length, at: offset + headBytes)
        guard body.count == length else { return .damaged(next: nil) }
        let (records, rank) = (Int(number(head[16..<20])), Int(number(head[20..<24])))
        let isWhole = checksum(body, after: checksum(Array(head[8...]))) == UInt32(number(head[4..<8]))
        // The length may be damaged, too; the next entry's checksum shows it.
        guard isWhole, 0..<RecordBatch.ranks ~= rank, records <= length else {
            return .damaged(next: offset + headBytes + length)
        }
        let batch = RecordBatch(bytes: body, records: records, rank: rank, number: number(head[8..<16]))
        return .batch(batch, size: headBytes + length)
    }

    /// The checksum of bytes (CRC-32, RFC 1952), continued from the checksum of the bytes before them.
    static func checksum(_ bytes: [UInt8], after former: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBufferPointer { bytes in
            // zlib starts a new checksum if there are no bytes.
            guard let start = bytes.baseAddress, !bytes.isEmpty else { return former }
            return UInt32(truncatingIfNeeded: crc32_z(UInt(former), start, bytes.count))
        }
    }

    /// Appends the low bytes of a number.
    static func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    /// Reads a number.
    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
