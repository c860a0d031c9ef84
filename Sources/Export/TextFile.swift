import Glibc
package import Posix

/// A destination for a text that is written once and completely: a file, a FIFO, or standard output.
package struct TextFile: Sendable {
    private let path: String

    /// Takes the path of a file or FIFO, or `-` for standard output.
    package init(path: String) {
        self.path = Self.isStandardOutput(path) ? "-" : path
    }

    /// Whether a path names this process's standard output; text is then appended to earlier output.
    static func isStandardOutput(_ path: String) -> Bool {
        ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(path)
    }

    /// Checks that the file can be written, and creates an empty file if there is none.
    ///
    /// A FIFO is not checked, because its reader may open it later.
    package func check() throws(FileError) {
        guard path != "-", !isFIFO else { return }
        _ = try TrustedFile.open(path)
    }

    /// Replaces the file's content with a text; waits for the reader of a FIFO or a pipe, up to a time limit.
    package func write(_ text: String, within limit: Duration) throws(FileError) {
        let deadline = ContinuousClock.now + limit
        let file = try open(until: deadline)
        do throws(SystemError) {
            if try file.status().type == S_IFREG, path != "-" { try file.truncate(to: 0) }
            try Self.write(Array(text.utf8), to: file, until: deadline)
        } catch {
            throw FileError(path: path, reason: error.description, advice: "what was to be written there is lost")
        }
    }

    private var isFIFO: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    private func open(until deadline: ContinuousClock.Instant) throws(FileError) -> FileDescriptor {
        guard path != "-" else {
            do {
                return try FileDescriptor.standardOutput()
            } catch {
                throw FileError(path: path, reason: error.description, advice: "start with standard output open")
            }
        }
        while true {
            do {
                return try TrustedFile.open(path)
            } catch {
                guard isFIFO, ContinuousClock.now < deadline else { throw error }
                usleep(10_000)
            }
        }
    }

    private static func write(
        _ bytes: [UInt8],
        to file: borrowing FileDescriptor,
        until deadline: ContinuousClock.Instant
    ) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // A writable pipe accepts this number of bytes without blocking, regardless of its flags.
            let piece = rest.prefix(4096)
            guard file.waitUntilWritable(by: deadline) else { throw SystemError("write", code: ETIMEDOUT) }
            do throws(SystemError) {
                let written = try piece.withUnsafeBufferPointer { bytes throws(SystemError) in
                    try file.write(UnsafeRawBufferPointer(bytes))
                }
                rest = rest.dropFirst(written)
            } catch {
                guard error.code == EAGAIN else { throw error }
            }
        }
    }
}
