import Glibc

/// Assembles lines from pieces of a file, a pipe or a connection.
///
/// A line of up to ``limit`` bytes is stored whole; a longer one is skipped and counted.
package struct AuditLines: Sendable {
    /// The maximum length of a line, bytes.
    ///
    /// An API server accepts requests of 3 MiB, and an event can contain the object twice.
    package static let limit = 16 << 20

    /// A line.
    package enum Line: Sendable, Hashable {
        /// The line's bytes in ``AuditLines/buffer``, without the line end.
        case bytes(Range<Int>)
        /// The line is longer than the limit.
        case tooLong
    }

    /// The buffer that contains the lines, valid until the next call.
    package private(set) var buffer: [UInt8] = []
    /// The number of input bytes in returned lines.
    package private(set) var consumed = 0
    private var start = 0
    private var scanned = 0
    private var isPassingOver = false
    private let limit: Int

    /// Creates an empty reader.
    ///
    /// - Parameter limit: the maximum length of a line, bytes.
    package init(limit: Int = AuditLines.limit) {
        self.limit = limit
    }

    /// The number of stored bytes of an incomplete line.
    package var pending: Int { buffer.count - start }

    /// Returns the next complete line; nil if there is none.
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

    /// Returns the rest of the input as the last line; nil if there is none.
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

    /// Appends bytes to the input.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        compact()
        buffer.append(contentsOf: bytes)
    }

    /// Removes returned lines, and the stored part of a line that is too long.
    private mutating func compact() {
        // Bytes that were not searched yet may contain the end of the line.
        if pending > limit, scanned == buffer.count { isPassingOver = true }
        if isPassingOver {
            consumed += scanned - start
            start = scanned
        }
        guard start > 0 else { return }
        buffer.removeSubrange(..<start)
        scanned -= start
        start = 0
        // Frees the memory of lines of several megabytes.
        if buffer.capacity > 4 << 20, buffer.count < 1 << 20 { buffer = Array(buffer) }
    }
}
