import CZlib
import Glibc
package import Posix
import Synchronization

/// Compresses files on a thread of its own, one after the other.
///
/// A complete file exists under one of its two names at any time: the compressed file is written under a temporary
/// name, which begins with a dot, and the original is removed only after the rename.
final class FileCompressor: Sendable {
    private struct State {
        var isRunning = false
        var failures: [String] = []
    }

    private let state = Mutex(State())

    /// Makes an idle compressor.
    init() {}

    /// Starts to compress files, unless it is busy: the next rotation requests the remaining files again.
    func compress(_ paths: [String]) {
        guard !paths.isEmpty else { return }
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { return }
        do throws(SystemError) {
            try WorkerThread.start("weir-gzip") { [self] in
                for path in paths {
                    do throws(SystemError) {
                        try Self.compress(path)
                    } catch {
                        // A file that is gone was removed in the meantime, beyond the number to keep.
                        guard FolderEntry.identity(of: path) != nil else { continue }
                        state.withLock { $0.failures.append("compress \(path): \(error)") }
                    }
                }
                state.withLock { $0.isRunning = false }
            }
        } catch {
            state.withLock { state in
                state.isRunning = false
                state.failures.append("compress rotated files: \(error)")
            }
        }
    }

    /// Takes the failures since the last call.
    func takeFailures() -> [String] {
        state.withLock { state in
            defer { state.failures = [] }
            return state.failures
        }
    }

    private static let pieceBytes = 256 << 10

    /// Replaces a file with a compressed one.
    static func compress(_ path: String) throws(SystemError) {
        let folder = TrustedFile.folder(of: path)
        let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
        let scratch = folder + "/." + name + ".gz"
        let source = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW)
        try? FolderEntry.remove(scratch)
        do throws(SystemError) {
            let target = try FileDescriptor.open(scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try target.setPermissions(try source.permissions())
            try copy(source, to: target)
            try FolderEntry.rename(scratch, to: path + RotatedName.compressedSuffix)
        } catch {
            try? FolderEntry.remove(scratch)
            throw error
        }
        try FolderEntry.remove(path)
    }

    private static func copy(
        _ source: borrowing FileDescriptor,
        to target: borrowing FileDescriptor
    ) throws(SystemError) {
        let gzip = try GzipStream()
        var offset = 0
        while true {
            let piece = try source.read(pieceBytes, at: offset)
            offset += piece.count
            try target.writeAll(gzip.add(piece))
            guard piece.count == pieceBytes else { break }
        }
        try target.writeAll(gzip.finish())
    }
}

/// A stream of the gzip format (RFC 1952).
package final class GzipStream {
    private var stream = z_stream()

    /// Begins a stream.
    package init(level: Int32 = 6) throws(SystemError) {
        guard czlib_gzip_begin(&stream, level) == Z_OK else { throw SystemError("deflateInit2", code: ENOMEM) }
    }

    deinit {
        deflateEnd(&stream)
    }

    /// Compresses bytes, and returns the output that is ready.
    package func add(_ bytes: [UInt8]) -> [UInt8] { run(bytes, Z_NO_FLUSH) }

    /// Returns the rest of the stream.
    package func finish() -> [UInt8] { run([], Z_FINISH) }

    /// Compresses bytes to a complete stream.
    static func compress(_ bytes: [UInt8], level: Int32 = 1) throws(SystemError) -> [UInt8] {
        let gzip = try GzipStream(level: level)
        return gzip.add(bytes) + gzip.finish()
    }

    private func run(_ input: [UInt8], _ flush: Int32) -> [UInt8] {
        var output: [UInt8] = []
        var input = input
        input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            repeat {
                output += [UInt8](unsafeUninitializedCapacity: 64 << 10) { target, initialized in
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
