import Glibc
import Screen

/// Reads lines up to a maximum length from a descriptor, compressed or not (``InputBytes``).
///
/// A callback is called before each read that may wait.
struct LineReader {
    /// A line.
    enum Line {
        /// The range of its bytes in ``LineReader/buffer``, without the line end.
        case bytes(Range<Int>)
        /// A skipped line, longer than ``LineReader/limit``.
        case tooLong
    }

    /// The maximum length of a line, bytes.
    static let limit = 1 << 20
    private static let chunk = 1 << 17

    private var input: InputBytes
    /// The buffer with the current line; valid until the next call.
    private(set) var buffer: [UInt8] = []
    private var start = 0
    private var scanned = 0
    private var isAtEnd = false
    private var isPassingOver = false
    /// Whether the file may grow: an incomplete line at its end is not returned, and the next call continues to read.
    var follows = false

    /// Reads from a descriptor, which the caller closes; messages use the name.
    init(_ descriptor: Int32, name: String) {
        input = InputBytes(descriptor, name: name)
    }

    /// The next line.
    ///
    /// - Parameter wait: called before a read that may take time.
    /// - Returns: the line; nil at the end of the file.
    /// - Throws: `CommandFailure` if reading fails.
    mutating func next(before wait: () throws -> Void) throws -> Line? {
        while true {
            if let end = newline() {
                defer {
                    (start, scanned) = (end + 1, end + 1)
                    isPassingOver = false
                }
                return isPassingOver ? .tooLong : .bytes(start..<end)
            }
            if isAtEnd, follows {
                isAtEnd = false
                return nil
            }
            if isAtEnd {
                defer { start = buffer.count }
                if isPassingOver {
                    isPassingOver = false
                    return .tooLong
                }
                return start < buffer.count ? .bytes(start..<buffer.count) : nil
            }
            try wait()
            try fill()
        }
    }

    private mutating func newline() -> Int? {
        let found = buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, scanned < bytes.count else { return nil }
            return memchr(base + scanned, 0x0a, bytes.count - scanned).map { UnsafeRawPointer($0) - base }
        }
        if found == nil { scanned = buffer.count }
        return found
    }

    private mutating func fill() throws {
        if buffer.count - start > Self.limit { isPassingOver = true }
        if isPassingOver { start = buffer.count }
        buffer.removeFirst(start)
        start = 0
        scanned = buffer.count
        let old = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.chunk))
        let count = try buffer.withUnsafeMutableBytes { bytes in
            try input.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[old...]))
        }
        buffer.removeLast(Self.chunk - count)
        isAtEnd = count == 0
    }
}

/// Buffers bytes for standard output.
struct OutputBuffer {
    private var bytes: [UInt8] = []

    /// Appends bytes unchanged: records and events for a program, or lines with colours whose texts are neutralized.
    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Appends a line of text; characters that could control a terminal are written as `\u{…}`.
    mutating func append(line: String) {
        append((TerminalText.neutralized(line) + "\n").utf8)
    }

    /// Appends lines of JSON; characters that could control a terminal are written as JSON escapes.
    mutating func appendJSON(_ lines: [UInt8]) {
        if lines.allSatisfy({ 0x20..<0x7f ~= $0 || $0 == 0x0a }) { return append(lines) }
        append(TerminalText.neutralizedJSONLines(String(decoding: lines, as: UTF8.self)).utf8)
    }

    /// Whether the buffer should be written.
    var isFull: Bool { bytes.count >= 1 << 16 }

    /// Writes the buffered bytes.
    ///
    /// - Throws: `CommandFailure` if writing to standard output fails.
    mutating func flush() throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                bytes.baseAddress.map { write(STDOUT_FILENO, $0 + written, bytes.count - written) } ?? 0
            }
            guard count >= 0 || errno == EINTR else {
                throw CommandFailure(description: "standard output: \(String(cString: strerror(errno)))")
            }
            written += max(0, count)
        }
        bytes.removeAll(keepingCapacity: true)
    }
}
