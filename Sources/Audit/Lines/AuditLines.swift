import Glibc

/// Puts lines together from pieces of a file, a pipe or a connection.
///
/// A line of up to ``limit`` bytes is kept whole; a longer one is passed over and counted, with nothing kept of it.
package struct AuditLines: Sendable {
    /// The longest line, bytes.
    ///
    /// An API server takes requests of 3 MiB, and an event may have the object twice.
    package static let limit = 16 << 20

    /// A line.
    package enum Line: Sendable, Hashable {
        /// Its bytes in ``AuditLines/buffer``, without the end of line.
        case bytes(Range<Int>)
        /// The line is longer than the limit.
        case tooLong
    }

    /// The buffer with the lines, until the next call.
    package private(set) var buffer: [UInt8] = []
    /// The number of bytes of the input in lines that were returned.
    package private(set) var consumed = 0
    private var start = 0
    private var scanned = 0
    private var isPassingOver = false
    private let limit: Int

    /// Creates an empty reader.
    ///
    /// - Parameter limit: the longest line, bytes.
    package init(limit: Int = AuditLines.limit) {
        self.limit = limit
    }

    /// The number of bytes that are kept of a line whose end has not come.
    package var pending: Int { buffer.count - start }

    /// The next whole line; nil if its end has not come.
    package mutating func next() -> Line? {
        let (from, size) = (scanned, buffer.count)
        let found = buffer.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, from < size else { return nil }
            return memchr(base + from, 0x0a, size - from).map { UnsafeRawPointer($0) - base }
        }
        guard let end = found else {
            scanned = size
            return nil
        }
        return take(until: end, next: end + 1)
    }

    /// Returns the rest of the input as its last line; nil if there is none.
    package mutating func last() -> Line? {
        guard pending > 0 || isPassingOver else { return nil }
        return take(until: buffer.count, next: buffer.count)
    }

    private mutating func take(until end: Int, next: Int) -> Line {
        let line = start..<end
        consumed += next - start
        (start, scanned) = (next, next)
        defer { isPassingOver = false }
        return isPassingOver || line.count > limit ? .tooLong : .bytes(line)
    }

    /// Adds bytes at the end.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        compact()
        buffer.append(contentsOf: bytes)
    }

    /// Forgets lines that were handed out, and what is kept of one that is too long.
    private mutating func compact() {
        // Only what was looked through: the end of the line may be in the rest.
        if pending > limit, scanned == buffer.count { isPassingOver = true }
        if isPassingOver {
            consumed += scanned - start
            start = scanned
        }
        guard start > 0 else { return }
        buffer.removeSubrange(..<start)
        scanned -= start
        start = 0
        // The room of a line of megabytes is given back.
        if buffer.capacity > 4 << 20, buffer.count < 1 << 20 { buffer = Array(buffer) }
    }
}
