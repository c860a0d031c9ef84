import Glibc

/// Reads a file, or a text in memory, from beginning to end in pieces.
///
/// The file is not mapped into memory: if it were truncated meanwhile, an access would end the process.
package final class FileReader {
    /// The descriptor of the file; -1 for a text in memory.
    private let descriptor: Int32
    private let text: [UInt8]
    private var position = 0

    /// Opens a regular file; symbolic links are followed.
    package init(_ path: String) throws(FileFault) {
        text = []
        // O_NONBLOCK, because opening a FIFO would wait for a writer.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileFault(reason: Self.reason(errno)) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileFault(reason: "not a regular file")
        }
    }

    /// Reads a text in memory.
    package init(_ text: [UInt8]) {
        self.text = text
        descriptor = -1
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Returns to the beginning.
    package func rewind() {
        position = 0
        if descriptor >= 0 { lseek(descriptor, 0, SEEK_SET) }
    }

    /// Reads the next bytes and returns their number; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileFault) -> Int {
        guard descriptor >= 0 else {
            let end = min(text.count, position + buffer.count)
            buffer.copyBytes(from: text[position..<end])
            defer { position = end }
            return end - position
        }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw FileFault(reason: Self.reason(errno)) }
        }
    }

    /// The line of a byte, counted from 1; the last line for an offset after the end, and nil if the file is unreadable.
    package func line(at offset: Int) -> Int? {
        guard descriptor >= 0 else { return 1 + text.prefix(offset).count { $0 == UInt8(ascii: "\n") } }
        var line = 1
        var position = 0
        return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
            while position < offset {
                let count = pread(descriptor, buffer.baseAddress, min(buffer.count, offset - position), position)
                guard count > 0 else { return count == 0 ? line : nil }
                line += buffer[..<count].count { $0 == UInt8(ascii: "\n") }
                position += count
            }
            return line
        }
    }

    private static func reason(_ code: Int32) -> String {
        String(cString: strerror(code))
    }
}
