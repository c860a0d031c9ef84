import Audit
import Export
import Glibc
import Posix
import Synchronization

/// The positions up to which audit logs were read, and the lengths of the outputs' files at that time.
///
/// This state survives the process.
struct AuditState: Sendable {
    /// A batch that may have been passed to the outputs only in part.
    ///
    /// The next run builds the same batch, so that its events have the same identifiers.
    struct Batch: Sendable, Hashable {
        /// The number (``RecordBatch/number``).
        var number: UInt64
        /// The end of the batch's last line in each of its logs, by the log's path.
        var ends: [String: AuditPosition]
    }

    /// The position in each log, by its path.
    var positions: [String: AuditPosition] = [:]
    /// Followed logs that did not exist yet; the next run also reads their rotated files.
    var absent: Set<String> = []
    /// The files of outputs.
    var files: [WrittenFile] = []
    /// The last stored batch: its number within this state, and the random number of the state.
    var origin = BatchOrigin(counters: .random(in: 1 ... .max), flush: 0)
    /// The batch in progress; nil if there is none.
    var batch: Batch?

    /// Reads a state from its text; other lines are left out.
    init(text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t", maxSplits: 1)
            if parts.count == 2 {
                read(parts[0], of: String(parts[1]))
            } else {
                read(line.split(separator: " "))
            }
        }
    }

    private mutating func read(_ fact: Substring, of log: String) {
        if let position = AuditPosition(String(fact)) {
            positions[log] = position
        } else if fact == "absent" {
            absent.insert(log)
        } else if fact.hasPrefix(Self.end), let position = AuditPosition(String(fact.dropFirst(Self.end.count))) {
            batch?.ends[log] = position
        }
    }

    private mutating func read(_ words: [Substring]) {
        let numbers = words.dropFirst().compactMap { UInt64($0) }
        guard numbers.count == words.count - 1 else { return }
        switch (words.first, numbers.count) {
        case ("file", 3): files.append(WrittenFile(device: numbers[0], inode: numbers[1], length: numbers[2]))
        case ("noted", 2) where numbers[0] > 0: origin = BatchOrigin(counters: numbers[0], flush: numbers[1])
        case ("batch", 1): batch = Batch(number: numbers[0], ends: [:])
        default: break
        }
    }

    /// The prefix of a line that contains the end of a batch.
    private static let end = "end "

    /// The state as text.
    var text: String {
        let places = Self.lines("", positions)
        let missing = absent.sorted().map { "absent\t\($0)\n" }
        let lengths = files.map { "file \($0.device) \($0.inode) \($0.length)\n" }
        let noted = ["noted \(origin.counters) \(origin.flush)\n"]
        let underWay = batch.map { ["batch \($0.number)\n"] + Self.lines(Self.end, $0.ends) } ?? []
        return (places + missing + lengths + noted + underWay).joined()
    }

    private static func lines(_ head: String, _ positions: [String: AuditPosition]) -> [String] {
        positions.sorted { $0.key < $1.key }.map { "\(head)\($0.value.text)\t\($0.key)\n" }
    }
}

/// The file of a state, which is replaced atomically.
///
/// Only one process can use it.
final class AuditStateFile: Sendable {
    private let path: String
    private let lock: Mutex<FileDescriptor?>

    /// Creates the file's folder, and locks the file against other processes.
    ///
    /// - Throws: the reason why it cannot be used.
    init(_ path: String) throws {
        self.path = path
        try TrustedFile.makeFolders(TrustedFile.folder(of: path), mode: 0o750)
        let lock = try TrustedFile.open(path + ".lock", O_RDWR | O_CREAT, mode: 0o600, followsLinks: false)
        try TrustedFile.check(path)
        guard try lock.lock() else { throw SystemError("flock", code: EWOULDBLOCK) }
        self.lock = Mutex(lock)
    }

    /// Unlocks the file.
    func release() {
        lock.withLock { $0 = nil }
    }

    /// Reads the state; an empty one if there is no file.
    func read() throws(SystemError) -> AuditState {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            return AuditState(text: String(decoding: try file.read(1 << 20, at: 0), as: UTF8.self))
        } catch {
            guard error.code == ENOENT else { throw error }
            return AuditState(text: "")
        }
    }

    /// Replaces the state; the former state remains if that fails.
    func write(_ text: String) throws(SystemError) {
        // An existing file belongs to a process that died, or to another program.
        try? FolderEntry.remove(path + ".new")
        let file = try FileDescriptor.open(path + ".new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        try file.writeAll(Array(text.utf8))
        try FolderEntry.rename(path + ".new", to: path)
    }
}
