import Audit
import Export
import Glibc
import Posix
import Synchronization

/// How far audit logs were read, and how long the files of outputs were then: what survives the process.
struct AuditState: Sendable {
    /// The position in each log, by its path.
    var positions: [String: AuditPosition] = [:]
    /// Logs that were followed and not there yet: what they are rotated to since is read, too.
    var absent: Set<String> = []
    /// The files of outputs.
    var files: [WrittenFile] = []

    /// Reads a state from its text; lines that are none of it are left out.
    init(text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t", maxSplits: 1)
            if parts.count == 2, let position = AuditPosition(String(parts[0])) {
                positions[String(parts[1])] = position
            } else if parts.count == 2, parts[0] == "absent" {
                absent.insert(String(parts[1]))
            } else {
                let words = line.split(separator: " ")
                guard words.count == 4, words[0] == "file", let device = UInt64(words[1]), let inode = UInt64(words[2]),
                    let length = UInt64(words[3])
                else { continue }
                files.append(WrittenFile(device: device, inode: inode, length: length))
            }
        }
    }

    /// The state as text.
    var text: String {
        let places = positions.sorted { $0.key < $1.key }.map { "\($0.value.text)\t\($0.key)\n" }
        let missing = absent.sorted().map { "absent\t\($0)\n" }
        return (places + missing + files.map { "file \($0.device) \($0.inode) \($0.length)\n" }).joined()
    }
}

/// The file of a state, replaced whole.
///
/// Only one process has it.
final class AuditStateFile: Sendable {
    private let path: String
    private let lock: Mutex<FileDescriptor?>

    /// Makes the file's folder, and locks the file against other processes.
    ///
    /// - Throws: why it cannot be used.
    init(_ path: String) throws {
        self.path = path
        try TrustedFile.makeFolders(TrustedFile.folder(of: path), mode: 0o750)
        let lock = try TrustedFile.open(path + ".lock", O_RDWR | O_CREAT, mode: 0o600, followsLinks: false)
        try TrustedFile.check(path)
        guard try lock.lock() else { throw SystemError("flock", code: EWOULDBLOCK) }
        self.lock = Mutex(lock)
    }

    /// Lets others use the file.
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

    /// Replaces the state; what was there before stays if that fails.
    func write(_ state: AuditState) throws(SystemError) {
        // Whatever is there is of a process that died, or not ours.
        try? FolderEntry.remove(path + ".new")
        let file = try FileDescriptor.open(path + ".new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        try file.writeAll(Array(state.text.utf8))
        try FolderEntry.rename(path + ".new", to: path)
    }
}
