import Glibc

/// Reads lines from a descriptor, of any length up to a limit, and says before it would wait.
struct LineReader {
    /// A line.
    enum Line {
        /// Its bytes in ``LineReader/buffer``, without the end.
        case bytes(Range<Int>)
        /// It is longer than ``LineReader/limit`` and was passed over.
        case tooLong
    }

    /// The longest line, bytes.
    static let limit = 1 << 20
    private static let chunk = 1 << 17

    private let descriptor: Int32
    private let name: String
    /// Where lines are until the next one is asked for.
    private(set) var buffer: [UInt8] = []
    private var start = 0
    private var scanned = 0
    private var isAtEnd = false
    private var isPassingOver = false
    /// Whether the file grows: its end is not that of the last line, and the next call goes on reading.
    var follows = false

    /// Reads from a descriptor, which stays the caller's, of a file that messages call so.
    init(_ descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// The next line.
    ///
    /// - Parameter wait: called before more is read, which may take time.
    /// - Returns: the line; nil at the end.
    /// - Throws: `CommandFailure` if nothing can be read.
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
        var count = -1
        repeat {
            count = buffer.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { read(descriptor, $0 + old, Self.chunk) } ?? 0
            }
        } while count < 0 && errno == EINTR
        guard count >= 0 else {
            throw CommandFailure(description: "\(name): cannot read: \(String(cString: strerror(errno)))")
        }
        buffer.removeLast(Self.chunk - count)
        isAtEnd = count == 0
    }
}

/// Gathers bytes and writes them to standard output.
struct OutputBuffer {
    private var bytes: [UInt8] = []

    /// Adds bytes.
    mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Whether it is time to write.
    var isFull: Bool { bytes.count >= 1 << 16 }

    /// Writes everything.
    ///
    /// - Throws: `CommandFailure` if standard output takes nothing.
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
