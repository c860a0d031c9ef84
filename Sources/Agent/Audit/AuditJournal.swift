import Audit
import Glibc
import Posix
import Synchronization

/// Events that the webhook received and that the outputs may not have yet.
///
/// They are lines in files that ``AuditShippingRun`` follows like an API server's log.
///
/// A full file is renamed with a sequence number in place of a time, so that a clock that is set back does not change the
/// order. Files are removed when all their events were delivered, except the newest file: its events identify a batch that is
/// sent twice.
final class AuditJournal: Sendable {
    /// Writes a file to the disk.
    typealias Synchronize = @Sendable (borrowing FileDescriptor) throws(SystemError) -> Void

    private let path: String
    private let synchronize: Synchronize
    private let file: Mutex<Writer>

    /// The size at which a file is renamed, bytes.
    static let segment = 16 << 20

    /// Opens the journal, and removes an incomplete last line, whose batch was not acknowledged before the process was killed.
    ///
    /// - Throws: the reason why it cannot be used.
    convenience init(_ path: String) throws {
        try self.init(path) { file throws(SystemError) in try file.synchronize() }
    }

    /// Opens the journal with another `fsync(2)`, for tests.
    init(_ path: String, synchronize: @escaping Synchronize) throws {
        self.path = path
        self.synchronize = synchronize
        let isThere = FolderEntry.identity(of: path) != nil
        try TrustedFile.check(path)
        file = Mutex(try Writer.open(path, isNew: !isThere))
    }

    /// Writes whole lines to the disk, and lines that an earlier call could not write.
    ///
    /// - Returns: the number of bytes that are readable as whole lines, and the error if lines are missing or not on the disk.
    func append(_ lines: [UInt8]) -> (kept: Int, fault: SystemError?) {
        file.withLock { writer in
            let kept = writer.append(lines, synchronize)
            do throws(SystemError) {
                if let fault = writer.fault { throw fault }
                if writer.size >= Self.segment { writer = try rotate() }
                return (kept, nil)
            } catch {
                return (kept, error)
            }
        }
    }

    private func rotate() throws(SystemError) -> Writer {
        if FolderEntry.identity(of: path) != nil {
            try FolderEntry.rename(path, to: Self.name(after: RotatedLog.files(of: path).last, of: path))
        }
        return try Writer.open(path, isNew: true)
    }

    /// The bytes of all files.
    var bytes: Int {
        (RotatedLog.files(of: path) + [path]).reduce(0) { $0 + (FolderEntry.identity(of: $1)?.size ?? 0) }
    }

    /// Removes the files before a position, except the newest one.
    ///
    /// - Parameters:
    ///   - position: the position up to which the journal was delivered.
    ///   - path: the path of the journal.
    static func prune(before position: AuditPosition?, of path: String) {
        guard let position else { return }
        let rotated = RotatedLog.files(of: path)
        guard rotated.count > 1 else { return }
        let index = rotated.firstIndex { FolderEntry.identity(of: $0).map(position.isIn) ?? false }
        let isCurrent = FolderEntry.identity(of: path).map(position.isIn) ?? false
        guard let end = index ?? (isCurrent ? rotated.count : nil) else { return }
        for name in rotated[..<end].dropLast() { try? FolderEntry.remove(name) }
    }

    /// Returns the name for the next full file: the name of a rotated log with a number in place of the time.
    static func name(after last: String?, of path: String) -> String {
        let dot = path.lastIndex(of: ".") ?? path.endIndex
        let (stem, end) = (path[..<dot], path[dot...])
        let form = "0000-00-00T00-00-00.000"
        let digits = last?.dropLast(end.count).suffix(form.count).filter(\.isNumber) ?? "0"
        let next = String((Int(digits) ?? 0) + 1)
        var rest = (String(repeating: "0", count: max(0, 17 - next.count)) + next)[...]
        return "\(stem)-\(String(form.map { $0 == "0" ? rest.removeFirst() : $0 }))\(end)"
    }
}

/// The journal's newest file.
private struct Writer: ~Copyable {
    private let file: FileDescriptor
    private(set) var size: Int
    /// Whether the last write failed within a line.
    private var isTorn = false
    /// The error of the last write or `fsync(2)`, whose lines may not be on the disk; nil if both succeeded.
    private(set) var fault: SystemError?
    /// The last bytes of the file, which were written since the last successful `fsync(2)`.
    ///
    /// After a failed `fsync(2)` the kernel may have dropped them, and the next `fsync(2)` succeeds without them.
    private var unsafeBytes: [UInt8] = []

    private init(_ file: consuming FileDescriptor, size: Int) {
        self.file = file
        self.size = size
    }

    /// Opens or creates a file; bytes after its last whole line are removed.
    static func open(_ path: String, isNew: Bool) throws(SystemError) -> Writer {
        let flags = O_RDWR | O_CREAT | O_NOFOLLOW | (isNew ? O_EXCL : 0)
        let file = try FileDescriptor.open(path, flags, mode: 0o600)
        let status = try file.status()
        guard status.type == S_IFREG else { throw SystemError("open", code: EINVAL) }
        let size = try endOfLines(file, status.size)
        if size < status.size { try file.truncate(to: size) }
        let folder = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
        try FolderEntry.synchronize(folder: folder.isEmpty ? "/" : String(folder))
        return Writer(file, size: size)
    }

    /// Returns the offset after the last end of a line.
    private static func endOfLines(_ file: borrowing FileDescriptor, _ size: Int) throws(SystemError) -> Int {
        var end = size
        while end > 0 {
            let start = max(0, end - 65_536)
            if let last = try file.read(end - start, at: start).lastIndex(of: 0x0a) { return start + last + 1 }
            end = start
        }
        return 0
    }

    /// Writes the unsafe bytes again, so that the next `fsync(2)` includes them.
    private mutating func writeAgain(_ synchronize: AuditJournal.Synchronize) throws(SystemError) {
        try file.writeAll(unsafeBytes, at: size - unsafeBytes.count)
        try synchronize(file)
        unsafeBytes = []
    }

    /// Appends lines; returns the bytes of them that are written as whole lines.
    mutating func append(_ lines: [UInt8], _ synchronize: AuditJournal.Synchronize) -> Int {
        let needsDisk = fault != nil || !lines.isEmpty
        var kept = 0
        let hasFailed = fault != nil
        fault = nil
        do throws(SystemError) {
            // Nothing more is written before the bytes of the failed attempt are on the disk.
            if hasFailed { try writeAgain(synchronize) }
            if isTorn, !lines.isEmpty {
                // A reader may have seen the beginning of the line: a newline ends it, and it is not an event.
                try file.writeAll([0x0a], at: size)
                (size, isTorn) = (size + 1, false)
                unsafeBytes.append(0x0a)
            }
            try file.writeAll(lines, at: size)
            (size, kept) = (size + lines.count, lines.count)
            unsafeBytes += lines
            if needsDisk { try synchronize(file) }
            unsafeBytes = []
        } catch {
            fault = error
            guard kept == 0 else { return kept }
            let written = lines.prefix(max(0, ((try? file.status().size) ?? size) - size))
            kept = written.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
            size += written.count
            unsafeBytes += written
            isTorn = isTorn || kept < written.count
        }
        return kept
    }
}
