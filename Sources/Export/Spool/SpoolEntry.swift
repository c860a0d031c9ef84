import CZlib
import Posix

/// A batch as stored in a segment of a spool: a header with a checksum, then the lines.
///
/// Numbers are little-endian: length 4, checksum 4 (CRC-32 of everything after the state), state 4, records 4, batch number 8,
/// counters 8 and flush 8 of its origin, rank 4, zero 4.
enum SpoolEntry {
    /// The size of the header in bytes.
    static let headBytes = 48
    /// The maximum size of a batch's lines, in bytes; a larger length means damage.
    static let limit = 64 << 20
    /// The state of a discarded entry; a single changed bit cannot make it another valid state.
    private static let discarded: UInt32 = 0x6469_7363
    /// The offset of the state.
    private static let stateOffset = 8

    /// Encodes a batch.
    static func bytes(of batch: RecordBatch) -> [UInt8] {
        var facts: [UInt8] = []
        facts.reserveCapacity(headBytes)
        append(UInt64(batch.records), 4, to: &facts)
        append(batch.number, 8, to: &facts)
        append(batch.origin.counters, 8, to: &facts)
        append(batch.origin.flush, 8, to: &facts)
        append(UInt64(batch.rank), 8, to: &facts)
        var entry: [UInt8] = []
        entry.reserveCapacity(headBytes + batch.bytes.count)
        append(UInt64(batch.bytes.count), 4, to: &entry)
        append(UInt64(checksum(batch.bytes[...], after: checksum(facts[...]))), 4, to: &entry)
        append(0, 4, to: &entry)
        entry += facts
        entry += batch.bytes
        return entry
    }

    /// The content of a header whose checksum was not checked.
    struct Head {
        /// The size of the lines, in bytes.
        var length: Int
        /// The number of lines.
        var records: Int
        /// The origin of the batch.
        var origin: BatchOrigin
        /// Whether the entry was discarded.
        var isDiscarded: Bool
        fileprivate var checksum: UInt32
        fileprivate var number: UInt64
        fileprivate var rank: Int

        /// The size of the entry, in bytes.
        var size: Int { headBytes + length }

        fileprivate init(_ head: [UInt8]) {
            let number = { (range: Range<Int>) in SpoolEntry.number(head[range]) }
            length = Int(number(0..<4))
            checksum = UInt32(number(4..<8))
            isDiscarded = UInt32(number(8..<12)) == discarded
            records = Int(number(12..<16))
            self.number = number(16..<24)
            origin = BatchOrigin(counters: number(24..<32), flush: number(32..<40))
            rank = Int(number(40..<44))
        }
    }

    /// Reads the header of the entry at an offset; nil at the end, and if there cannot be an entry.
    static func head(_ file: borrowing FileDescriptor, at offset: Int) throws(SystemError) -> Head? {
        let bytes = try file.read(headBytes, at: offset)
        guard bytes.count == headBytes else { return nil }
        let head = Head(bytes)
        return head.length <= limit ? head : nil
    }

    /// Marks the entry at an offset as discarded.
    static func discard(_ file: borrowing FileDescriptor, at offset: Int) throws(SystemError) {
        var state: [UInt8] = []
        append(UInt64(discarded), 4, to: &state)
        try file.writeAll(state, at: offset + stateOffset)
    }

    /// A damaged entry's batch according to its header, which may be wrong.
    struct Damage {
        /// The batch's number.
        let number: UInt64
        /// The number of lines.
        let records: Int
        /// Whether the batch is certainly of this run.
        var isOfRun = false
    }

    /// The result of reading at an offset of a segment.
    enum Reading {
        /// A batch, and the size of its entry in bytes.
        case batch(RecordBatch, size: Int)
        /// An entry that was discarded, and its size in bytes.
        case discarded(size: Int)
        /// A damaged entry, and the offset where the next one may begin.
        case damaged(next: Int, Damage)
        /// An entry whose length is damaged, or that is incomplete: the rest of the segment cannot be read.
        case incomplete
        /// The end of the segment.
        case end
    }

    /// Reads the entry at an offset.
    static func read(_ file: borrowing FileDescriptor, at offset: Int) throws(SystemError) -> Reading {
        let bytes = try file.read(headBytes, at: offset)
        guard !bytes.isEmpty else { return .end }
        guard bytes.count == headBytes else { return .incomplete }
        let head = Head(bytes)
        guard head.length <= limit else { return .incomplete }
        let body = try file.read(head.length, at: offset + headBytes)
        guard body.count == head.length else { return .incomplete }
        let isWhole = checksum(body[...], after: checksum(bytes[12...])) == head.checksum
        // The length may be damaged, too; the checksum of the next entry detects that.
        guard isWhole, 0..<RecordBatch.ranks ~= head.rank, head.records <= head.length else {
            let damage = Damage(number: head.number, records: head.records <= head.length ? head.records : 0)
            return .damaged(next: offset + head.size, damage)
        }
        if head.isDiscarded { return .discarded(size: head.size) }
        let batch = RecordBatch(
            bytes: body,
            records: head.records,
            rank: head.rank,
            number: head.number,
            origin: head.origin
        )
        return .batch(batch, size: head.size)
    }

    /// Returns the checksum of bytes (CRC-32, RFC 1952), continued from the checksum of the preceding bytes.
    static func checksum(_ bytes: ArraySlice<UInt8>, after former: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBufferPointer { bytes in
            // crc32_z starts a new checksum if there are no bytes.
            guard let start = bytes.baseAddress, !bytes.isEmpty else { return former }
            return UInt32(truncatingIfNeeded: crc32_z(UInt(former), start, bytes.count))
        }
    }

    /// Appends the low bytes of a number.
    static func append(_ value: UInt64, _ count: Int, to bytes: inout [UInt8]) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    /// Decodes a number.
    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
