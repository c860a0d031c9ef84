import Export
import Foundation
import Glibc
import Logging

/// The number of levels by which an output's records are folded beyond its own level because the output lags.
///
/// It is evaluated before each flush. More queued bytes than the threshold raise it by one; after some flushes with few queued
/// bytes it returns to 0.
struct OutputEasing {
    /// The number of levels that are folded now.
    private(set) var raise = 0
    private let easing: RecordSelection.Easing
    private let path: String?
    private var calmFlushes = 0

    /// The number of levels.
    private static let limit = 3
    /// The number of flushes without a backlog after which records have their own level again.
    private static let patience = 3

    /// Observes an output.
    ///
    /// - Parameters:
    ///   - easing: the condition under which the output lags.
    ///   - path: its file; nil if it is not one.
    init(_ easing: RecordSelection.Easing, path: String?) {
        self.easing = easing
        self.path = path
    }

    /// Determines how far the output lags.
    ///
    /// - Returns: whether ``raise`` changed.
    mutating func look(waiting: Int) -> Bool {
        let unread = easing.positionFile.flatMap { tailer in path.flatMap { Self.unread(of: $0, by: tailer) } } ?? 0
        return note(behind: waiting + unread)
    }

    /// Takes in the number of queued bytes.
    mutating func note(behind: Int) -> Bool {
        let former = raise
        if behind > easing.threshold {
            calmFlushes = 0
            raise = min(raise + 1, Self.limit)
        } else if raise > 0 {
            calmFlushes += 1
            if calmFlushes == Self.patience { (raise, calmFlushes) = (0, 0) }
        }
        return raise != former
    }

    /// Returns the bytes of a file that a tailer has not read, according to the tailer's position file; nil if that does not
    /// contain the file.
    ///
    /// A position file has a line `PATH<TAB>OFFSET<TAB>INODE` for each file, with numbers in hexadecimal, as fluentd writes it.
    ///
    /// If the file was rotated since then, all of it is unread.
    static func unread(of path: String, by positionFile: String) -> Int? {
        guard let file = WrittenFile(at: path), let handle = FileHandle(forReadingAtPath: positionFile),
            let data = try? handle.read(upToCount: 1 << 20)
        else { return nil }
        for line in data.split(separator: UInt8(ascii: "\n")) {
            let parts = String(decoding: line, as: UTF8.self).split(separator: "\t")
            guard parts.count == 3, parts[0] == path, let offset = UInt64(parts[1], radix: 16),
                let inode = UInt64(parts[2], radix: 16)
            else { continue }
            let read = inode == file.inode ? Int(min(offset, file.length)) : 0
            return Int(clamping: file.length) - read
        }
        return nil
    }
}
