import CZstd

/// A stream of the zstd format (RFC 8878), with a checksum.
public final class ZstdCompressor: Compressor {
    private let context: OpaquePointer
    private static let pieceBytes = 128 << 10

    /// Begins a stream.
    ///
    /// - Parameter level: from 1 (fast) to 19 (small); the default is the library's.
    /// - Throws: ``CompressionError`` if there is no memory.
    public init(level: Int32 = 3) throws(CompressionError) {
        guard let context = ZSTD_createCCtx() else { throw CompressionError(.zstd, "no memory") }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit {
        ZSTD_freeCCtx(context)
    }

    /// Compresses bytes, and returns the output that is ready.
    ///
    /// - Throws: ``CompressionError`` if there is no memory.
    public func add(_ bytes: [UInt8]) throws(CompressionError) -> [UInt8] { try run(bytes, ZSTD_e_continue) }

    /// Returns the rest of the stream.
    ///
    /// - Throws: ``CompressionError`` if there is no memory.
    public func finish() throws(CompressionError) -> [UInt8] { try run([], ZSTD_e_end) }

    private func run(_ input: [UInt8], _ directive: ZSTD_EndDirective) throws(CompressionError) -> [UInt8] {
        var output: [UInt8] = []
        var left = 0
        input.withUnsafeBytes { bytes in
            var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            repeat {
                output += [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { target, initialized in
                    var room = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    left = ZSTD_compressStream2(context, &room, &source, directive)
                    initialized = room.pos
                }
            } while ZSTD_isError(left) == 0 && (directive == ZSTD_e_end ? left > 0 : source.pos < source.size)
        }
        guard ZSTD_isError(left) == 0 else { throw CompressionError(.zstd, String(cString: ZSTD_getErrorName(left))) }
        return output
    }
}

/// Decompresses frames of the zstd format, with windows of 128 MiB at most.
final class ZstdDecompressor: Decompressor {
    private let context: OpaquePointer
    private(set) var isComplete = false

    init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else { throw CompressionError(.zstd, "no memory") }
        self.context = context
    }

    deinit {
        ZSTD_freeDCtx(context)
    }

    func step(
        _ input: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (read: Int, written: Int) {
        guard !input.isEmpty || !isComplete else { return (0, 0) }
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var room = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let left = ZSTD_decompressStream(context, &room, &source)
        guard ZSTD_isError(left) == 0 else { throw CompressionError(.zstd, String(cString: ZSTD_getErrorName(left))) }
        isComplete = left == 0
        return (source.pos, room.pos)
    }
}
