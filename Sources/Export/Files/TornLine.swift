import Glibc
import Posix

/// The last line of a file where the agent died while it wrote it.
enum TornLine {
    /// The most bytes that are looked through for the last line's beginning; no record is longer.
    private static let limit = 1 << 20
    /// The bytes with which every record begins.
    private static let beginning = Array("{\"start_time\":".utf8)

    /// Cuts a part of a record off from the end of a file; ends a last line that is none.
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
