import CZlib

/// Encodes the numbers or bytes of a column as a blob.
///
/// A blob has a byte for the form, the length, and then a zlib stream or the plain bytes, whichever is shorter. Numbers are
/// LEB128; the numbers of ``StoreColumn/key`` are differences.
enum ColumnCodec {
    private static let plain: UInt8 = 0
    private static let deflated: UInt8 = 1
    /// The maximum size of a decoded column: a block has at most 200,000 records, each with at most 64 KiB of detail.
    private static let maximumBytes = 1 << 30

    // MARK: Numbers

    /// Encodes numbers; those of an ascending column as differences.
    static func pack(_ values: [UInt64], isAscending: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.count * 2)
        var previous: UInt64 = 0
        for value in values {
            append(isAscending ? value &- previous : value, to: &bytes)
            previous = value
        }
        return pack(bytes)
    }

    /// Decodes the numbers of a block's rows.
    static func unpack(_ blob: [UInt8], count: Int, isAscending: Bool = false) throws(StoreError) -> [UInt64] {
        let bytes = try unpack(blob)
        guard bytes.count >= count else { throw .corrupt("a column is shorter than its block") }
        var values = [UInt64](repeating: 0, count: count)
        let isWhole = bytes.withUnsafeBufferPointer { source in
            values.withUnsafeMutableBufferPointer { read(source, into: $0, isAscending) }
        }
        guard isWhole else { throw .corrupt("a column does not have the numbers of its block") }
        return values
    }

    private static func read(
        _ source: UnsafeBufferPointer<UInt8>,
        into values: UnsafeMutableBufferPointer<UInt64>,
        _ isAscending: Bool
    ) -> Bool {
        var index = 0
        var previous: UInt64 = 0
        for place in values.indices {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                guard index < source.count, shift < 64 else { return false }
                let byte = source[index]
                index &+= 1
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { break }
                shift &+= 7
            }
            if isAscending { value &+= previous }
            previous = value
            values[place] = value
        }
        return index == source.count
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    // MARK: Bytes

    /// Encodes bytes.
    static func pack(_ bytes: [UInt8]) -> [UInt8] {
        var header = [deflated]
        append(UInt64(bytes.count), to: &header)
        if bytes.count > 32 {
            var size = compressBound(uLong(bytes.count))
            var packed = [UInt8](repeating: 0, count: header.count + Int(size))
            let code = packed.withUnsafeMutableBufferPointer { target in
                bytes.withUnsafeBufferPointer { source in
                    compress2(
                        target.baseAddress.map { $0 + header.count },
                        &size,
                        source.baseAddress,
                        uLong(bytes.count),
                        1
                    )
                }
            }
            if code == Z_OK, Int(size) < bytes.count {
                packed.replaceSubrange(0..<header.count, with: header)
                packed.removeLast(packed.count - header.count - Int(size))
                return packed
            }
        }
        header[0] = plain
        return header + bytes
    }

    /// Decodes bytes.
    static func unpack(_ blob: [UInt8]) throws(StoreError) -> [UInt8] {
        var index = 1
        var count = 0
        var shift = 0
        while true {
            guard index < blob.count, shift <= 28 else { throw .corrupt("a column has no length") }
            count |= Int(blob[index] & 0x7f) << shift
            index += 1
            if blob[index - 1] < 0x80 { break }
            shift += 7
        }
        guard count <= maximumBytes else { throw .corrupt("a column is too long") }
        if blob[0] == plain {
            guard blob.count - index == count else { throw .corrupt("a column is cut off") }
            return Array(blob[index...])
        }
        // zlib compresses at most 1032 bytes into one: a blob with a larger length is invalid.
        guard blob[0] == deflated, count <= (blob.count - index) * 1040 else {
            throw .corrupt("a column's form is unknown")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        var size = uLongf(count)
        let code = bytes.withUnsafeMutableBufferPointer { target in
            blob.withUnsafeBufferPointer { source in
                uncompress(target.baseAddress, &size, source.baseAddress.map { $0 + index }, uLong(blob.count - index))
            }
        }
        guard code == Z_OK, Int(size) == count else { throw .corrupt("a column cannot be unpacked (zlib \(code))") }
        return bytes
    }
}
