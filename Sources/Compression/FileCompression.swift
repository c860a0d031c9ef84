/// A format of compressed files.
public enum FileCompression: String, Sendable, Hashable, CaseIterable {
    /// RFC 1952.
    case gzip
    /// RFC 8878.
    case zstd

    /// The suffix of a compressed file's name.
    public var suffix: String {
        switch self {
        case .gzip: ".gz"
        case .zstd: ".zst"
        }
    }

    /// The magic bytes at the beginning of a file in this format.
    public var beginning: [UInt8] {
        switch self {
        case .gzip: [0x1f, 0x8b]
        case .zstd: [0x28, 0xb5, 0x2f, 0xfd]
        }
    }
}

/// Compresses a stream of bytes.
public protocol Compressor: AnyObject {
    /// Compresses bytes, and returns the output that is ready.
    ///
    /// - Throws: ``CompressionError`` if the library fails.
    func add(_ bytes: [UInt8]) throws(CompressionError) -> [UInt8]
    /// Returns the rest of the stream; nothing may be added afterwards.
    ///
    /// - Throws: ``CompressionError`` if the library fails.
    func finish() throws(CompressionError) -> [UInt8]
}

/// Decompresses a stream of bytes piece by piece.
///
/// The caller's buffer limits the output of a step, whatever size the input declares. Consecutive streams are decompressed as
/// one, as `zcat` does.
public protocol Decompressor: AnyObject {
    /// Whether the input so far ends with a complete stream.
    var isComplete: Bool { get }
    /// Decompresses bytes from the beginning of `input`.
    ///
    /// - Returns: the numbers of bytes read and written; both are 0 if more input is needed.
    /// - Throws: ``CompressionError`` if the input is damaged.
    func step(
        _ input: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> (read: Int, written: Int)
}

extension FileCompression {
    /// Begins a stream to compress, at the format's default level.
    ///
    /// - Throws: ``CompressionError`` if there is no memory.
    public func compressor() throws(CompressionError) -> any Compressor {
        switch self {
        case .gzip: try GzipCompressor()
        case .zstd: try ZstdCompressor()
        }
    }

    /// Begins a stream to decompress.
    ///
    /// - Throws: ``CompressionError`` if there is no memory.
    public func decompressor() throws(CompressionError) -> any Decompressor {
        switch self {
        case .gzip: try GzipDecompressor()
        case .zstd: try ZstdDecompressor()
        }
    }
}

/// The reason why bytes cannot be compressed or decompressed.
public struct CompressionError: Error, Hashable, CustomStringConvertible {
    /// The reason, in one line.
    public let description: String

    init(_ format: FileCompression, _ reason: String) {
        description = "\(format.rawValue): \(reason)"
    }
}
