import Compression
import Glibc
import Posix
import Synchronization

/// Compresses files on a thread of its own, one after the other.
///
/// A complete file always exists under one of its two names: the compressed file is written under a temporary name, which
/// begins with a dot, and the original is removed only after the rename.
final class FileCompressor: Sendable {
    private struct State {
        var isRunning = false
        var failures: [String] = []
    }

    private let state = Mutex(State())
    private let compression: FileCompression

    /// Makes an idle compressor.
    init(_ compression: FileCompression) {
        self.compression = compression
    }

    /// Starts to compress files, unless it is busy; the next rotation requests the remaining files again.
    func compress(_ paths: [String]) {
        guard !paths.isEmpty else { return }
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { return }
        do throws(SystemError) {
            try WorkerThread.start("weir-compress") { [self] in
                for path in paths {
                    do {
                        try Self.compress(path, compression)
                    } catch {
                        // A missing file was removed meanwhile because there were too many.
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
    static func compress(_ path: String, _ compression: FileCompression) throws {
        let folder = TrustedFile.folder(of: path)
        let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
        let scratch = folder + "/." + name + compression.suffix
        let source = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW)
        try? FolderEntry.remove(scratch)
        do {
            let target = try FileDescriptor.open(scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try target.setPermissions(try source.permissions())
            try copy(source, to: target, compression.compressor())
            try FolderEntry.rename(scratch, to: path + compression.suffix)
        } catch {
            try? FolderEntry.remove(scratch)
            throw error
        }
        try FolderEntry.remove(path)
    }

    private static func copy(
        _ source: borrowing FileDescriptor,
        to target: borrowing FileDescriptor,
        _ compressor: any Compressor
    ) throws {
        var offset = 0
        while true {
            let piece = try source.read(pieceBytes, at: offset)
            offset += piece.count
            try target.writeAll(compressor.add(piece))
            guard piece.count == pieceBytes else { break }
        }
        try target.writeAll(compressor.finish())
    }
}
