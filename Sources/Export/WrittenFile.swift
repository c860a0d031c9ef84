import Glibc
import Posix

/// A file and its committed length.
///
/// After a run was killed, a later run truncates the file to this length, to remove lines after the last commit.
package struct WrittenFile: Sendable, Hashable {
    /// The device number of the file system.
    package var device: UInt64
    /// The inode number.
    package var inode: UInt64
    /// The committed length in bytes.
    package var length: UInt64

    /// Takes all members.
    package init(device: UInt64, inode: UInt64, length: UInt64) {
        self.device = device
        self.inode = inode
        self.length = length
    }

    /// Takes the file that is currently at a path; nil if it is not a regular file.
    package init?(at path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        self.init(
            device: UInt64(status.st_dev),
            inode: UInt64(status.st_ino),
            length: UInt64(max(0, status.st_size))
        )
    }

    private func isSame(as other: WrittenFile) -> Bool { device == other.device && inode == other.inode }

    /// Truncates files to their committed lengths.
    ///
    /// If the file at the path was moved since, by its output's rotation or to a name that begins with its own, the moved file
    /// is truncated. Later files were written after the commit: rotated ones are removed, and the file that is now at the path
    /// is emptied.
    ///
    /// An emptied file is not written again: a reader that has read half of a removed line would join it with the next line
    /// (rsyslog does). Such a file is renamed to a rotated name, or replaced by a new file.
    ///
    /// - Parameters:
    ///   - path: the path of an output.
    ///   - written: the files of all outputs of the killed run.
    /// - Returns: the number of removed bytes.
    package static func cutBack(_ path: String, to written: [WrittenFile]) -> UInt64 {
        let current = WrittenFile(at: path)
        if let current, let mark = written.first(where: { $0.isSame(as: current) }) {
            let bytes = cut(path, mark)
            // Rotates a file that is now empty; a later run finds it by its identity.
            if bytes > 0, mark.length == 0 { try? RotatedFiles(path: path, rotation: FileRotation()).add(path) }
            return bytes
        }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? "./"
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let entries = entries(of: folder).filter { $0 != name }
        for entry in entries {
            let rotated = RotatedName(entry, of: name)
            guard rotated != nil || entry.hasPrefix(name), let moved = WrittenFile(at: folder + entry),
                let mark = written.first(where: { $0.isSame(as: moved) })
            else { continue }
            var bytes = cut(folder + entry, mark)
            for later in entries {
                guard let rotated, let other = RotatedName(later, of: name), rotated < other else { continue }
                bytes += remove(folder + later)
            }
            guard var current else { return bytes }
            current.length = 0
            let last = cut(path, current)
            if last > 0 { renew(path) }
            return bytes + last
        }
        return 0
    }

    /// Replaces an empty file with a new empty file.
    private static func renew(_ path: String) {
        let new = path + ".new"
        try? FolderEntry.remove(new)
        var status = stat()
        guard lstat(path, &status) == 0,
            let file = try? FileDescriptor.open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        else { return }
        _ = chown(new, status.st_uid, status.st_gid)
        try? file.setPermissions(status.st_mode & 0o7777)
        try? FolderEntry.rename(new, to: path)
    }

    /// Removes a rotated file that was written after the commit; returns its size.
    private static func remove(_ path: String) -> UInt64 {
        guard var file = WrittenFile(at: path) else { return 0 }
        let bytes = file.length
        file.length = 0
        guard bytes == 0 || cut(path, file) == bytes, (try? FolderEntry.remove(path)) != nil else { return 0 }
        return bytes
    }

    /// Truncates the file at a path to the committed length, if it is the same file and longer.
    private static func cut(_ path: String, _ mark: WrittenFile) -> UInt64 {
        let flags = O_WRONLY | O_NONBLOCK | O_NOCTTY
        guard let file = try? TrustedFile.open(path, flags, mode: 0, followsLinks: false),
            let identity = try? file.identity()
        else { return 0 }
        let now = WrittenFile(device: identity.device, inode: identity.number, length: UInt64(identity.size))
        guard now.isSame(as: mark), now.length > mark.length else { return 0 }
        return (try? file.truncate(to: Int(mark.length))) == nil ? 0 : now.length - mark.length
    }

    private static func entries(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }
}
