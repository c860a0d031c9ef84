import Compression
import Glibc

/// The bytes of a descriptor, decompressed if they begin like a gzip or zstd file.
struct InputBytes {
    private static let pieceBytes = 1 << 17

    private let descriptor: Int32
    private let name: String
    /// Bytes that were read and not returned yet.
    private var pending: [UInt8] = []
    private var start = 0
    private var isBegun = false
    private var decompressor: (any Decompressor)?

    /// Reads from a descriptor, which the caller closes; messages use the name.
    init(_ descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// Reads bytes into a buffer.
    ///
    /// - Returns: the number of bytes; 0 at the end.
    /// - Throws: `CommandFailure` if reading fails, or if the compressed data is damaged or incomplete.
    mutating func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        if !isBegun { try begin() }
        if let decompressor { return try decompress(decompressor, into: target) }
        guard start == pending.count else {
            let count = min(target.count, pending.count - start)
            target.copyBytes(from: pending[start..<start + count])
            start += count
            return count
        }
        return try readPlain(into: target)
    }

    /// Reads enough bytes to determine the format.
    private mutating func begin() throws {
        let formats = FileCompression.allCases.map { ($0, $0.beginning) }
        repeat {
            let isOpen = formats.contains { $0.1.count > pending.count && $0.1.starts(with: pending) }
            if !pending.isEmpty, !isOpen { break }
        } while try fill()
        isBegun = true
        guard let format = formats.first(where: { pending.starts(with: $0.1) })?.0 else { return }
        decompressor = try named { () throws(CompressionError) in try format.decompressor() }
    }

    private mutating func decompress(
        _ decompressor: any Decompressor,
        into target: UnsafeMutableRawBufferPointer
    ) throws -> Int {
        while true {
            let counts = try named { () throws(CompressionError) in
                try pending.withUnsafeBufferPointer { (bytes) throws(CompressionError) in
                    try decompressor.step(
                        UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[start...])),
                        target
                    )
                }
            }
            start += counts.read
            if counts.written > 0 { return counts.written }
            if counts.read > 0 { continue }
            guard try fill() else {
                guard decompressor.isComplete, start == pending.count else {
                    throw CommandFailure(description: "\(name): the compressed data ends in the middle")
                }
                return 0
            }
        }
    }

    /// Appends more bytes to the pending ones; false at the end.
    private mutating func fill() throws -> Bool {
        pending.removeFirst(start)
        start = 0
        let old = pending.count
        pending.append(contentsOf: repeatElement(0, count: Self.pieceBytes))
        var bytes = pending
        pending = []
        defer { pending = bytes }
        let count = try bytes.withUnsafeMutableBytes {
            try readPlain(into: UnsafeMutableRawBufferPointer(rebasing: $0[old...]))
        }
        bytes.removeLast(Self.pieceBytes - count)
        return count > 0
    }

    private func readPlain(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        var count = -1
        repeat { count = Glibc.read(descriptor, target.baseAddress, target.count) } while count < 0 && errno == EINTR
        guard count >= 0 else {
            throw CommandFailure(description: "\(name): cannot read: \(String(cString: strerror(errno)))")
        }
        return count
    }

    private func named<Value>(_ work: () throws(CompressionError) -> Value) throws -> Value {
        do throws(CompressionError) {
            return try work()
        } catch {
            throw CommandFailure(description: "\(name): \(error)")
        }
    }
}
