import Glibc

/// A file and its committed length.
///
/// A later run cuts back to this length what a killed run has written after its last commit.
public struct WrittenFile: Sendable, Hashable {
    /// The number of the file system.
    public var device: UInt64
    /// The number of the file there.
    public var inode: UInt64
    /// Bytes.
    public var length: UInt64

    /// Takes all members.
    public init(device: UInt64, inode: UInt64, length: UInt64) {
        self.device = device
        self.inode = inode
        self.length = length
    }

    /// The file that is at a path now; nil if it is not a regular file.
    public init?(at path: String) {
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
    /// If the file at the path was moved since, to a name that begins with its own, the moved file is truncated; the
    /// file that is at the path now was written after the commit and is cut completely.
    ///
    /// - Parameters:
    ///   - path: of an output.
    ///   - written: of all outputs of the run that died.
    /// - Returns: how many bytes were cut off.
    public static func cutBack(_ path: String, to written: [WrittenFile]) -> UInt64 {
        guard let current = WrittenFile(at: path) else { return 0 }
        if let mark = written.first(where: { $0.isSame(as: current) }) { return cut(path, mark) }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? "./"
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        for entry in entries(of: folder) where entry.hasPrefix(name) && entry != name {
            guard let other = WrittenFile(at: folder + entry), let mark = written.first(where: { $0.isSame(as: other) })
            else { continue }
            var empty = current
            empty.length = 0
            return cut(folder + entry, mark) + cut(path, empty)
        }
        return 0
    }

    /// Cuts the file at a path to the length of a mark, if it is the same file and longer.
    private static func cut(_ path: String, _ mark: WrittenFile) -> UInt64 {
        let descriptor = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return 0 }
        let now = WrittenFile(status)
        guard now.isSame(as: mark), now.length > mark.length, ftruncate(descriptor, off_t(mark.length)) == 0 else {
            return 0
        }
        return now.length - mark.length
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
