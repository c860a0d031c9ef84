import Glibc
import Posix

/// Repairs the last line of a file after the agent was killed while writing it.
enum TornLine {
    /// The maximum number of bytes that are searched for the beginning of the last line; no record is longer.
    private static let limit = 1 << 20
    /// The bytes with which every record begins.
    private static let beginning = Array("{\"start_time\":".utf8)

    /// Removes an incomplete record from the end of a file; adds a newline to another incomplete line.
    static func repair(_ file: borrowing FileDescriptor) throws(SystemError) {
        let size = try file.status().size
        guard size > 0 else { return }
        let start = max(0, size - limit)
        let tail = try file.read(size - start, at: start)
        guard tail.last != newline else { return }
        let line = tail[(tail.lastIndex(of: newline).map { $0 + 1 } ?? 0)...]
        let isWhole = line.startIndex > 0 || start == 0
        if isWhole, line.starts(with: beginning) || beginning.starts(with: line) {
            try file.truncate(to: size - line.count)
        } else {
            try file.writeAll([newline])
        }
    }

    private static let newline = UInt8(ascii: "\n")
}
