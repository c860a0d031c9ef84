import CZlib

/// A stream of the gzip format (RFC 1952).
public final class GzipCompressor: Compressor {
    private var stream = z_stream()
    private static let pieceBytes = 64 << 10

    /// Begins a stream.
    ///
    /// - Parameter level: from 1 (fast) to 9 (small).
    /// - Throws: ``CompressionError`` if there is no memory.
    public init(level: Int32 = 6) throws(CompressionError) {
        guard czlib_gzip_begin(&stream, level) == Z_OK else { throw CompressionError(.gzip, "no memory") }
    }

    deinit {
        deflateEnd(&stream)
    }

    /// Compresses bytes, and returns the output that is ready.
    public func add(_ bytes: [UInt8]) -> [UInt8] { run(bytes, Z_NO_FLUSH) }

    /// Returns the rest of the stream.
    public func finish() -> [UInt8] { run([], Z_FINISH) }

    /// Compresses bytes to a complete stream.
    ///
    /// - Throws: ``CompressionError`` if there is no memory.
    public static func compress(_ bytes: [UInt8], level: Int32 = 1) throws(CompressionError) -> [UInt8] {
        let gzip = try GzipCompressor(level: level)
        return gzip.add(bytes) + gzip.finish()
    }

    private func run(_ input: [UInt8], _ flush: Int32) -> [UInt8] {
        var output: [UInt8] = []
        var input = input
        input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            repeat {
                output += [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { target, initialized in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    deflate(&stream, flush)
                    initialized = target.count - Int(stream.avail_out)
                }
            } while stream.avail_out == 0
            stream.next_in = nil
        }
        return output
    }
}

/// Decompresses streams of the gzip format.
final class GzipDecompressor: Decompressor {
    private var stream = z_stream()
    private(set) var isComplete = false

    init() throws(CompressionError) {
        guard czlib_gunzip_begin(&stream) == Z_OK else { throw CompressionError(.gzip, "no memory") }
    }

    deinit {
        inflateEnd(&stream)
    }

    func step(
        _ input: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (read: Int, written: Int) {
        guard !input.isEmpty || !isComplete else { return (0, 0) }
        let (most, room) = (min(input.count, 1 << 30), min(output.count, 1 << 30))
        // zlib's declarations lack `const`.
        let start = input.baseAddress.map { UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: UInt8.self) }
        stream.next_in = start
        stream.avail_in = UInt32(most)
        stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(room)
        let code = inflate(&stream, Z_NO_FLUSH)
        let counts = (read: most - Int(stream.avail_in), written: room - Int(stream.avail_out))
        (stream.next_in, stream.next_out) = (nil, nil)
        switch code {
        case Z_OK, Z_BUF_ERROR:
            if counts.read > 0 { isComplete = false }
        case Z_STREAM_END:
            isComplete = true
            inflateReset(&stream)
        default:
            throw CompressionError(.gzip, stream.msg.map { String(cString: $0) } ?? "error \(code)")
        }
        return counts
    }
}
