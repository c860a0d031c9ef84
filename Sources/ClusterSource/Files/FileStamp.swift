import Glibc

/// The properties of a file that show a change or a replacement; symbolic links are followed.
struct FileStamp: Hashable {
    private var device: UInt64
    private var inode: UInt64
    private var size: Int64
    // Seconds and nanoseconds of the last write (mtime) and of the last change of the inode (ctime).
    private var written: [Int]
    private var changed: [Int]

    /// What exists at a path.
    enum Target {
        case file(FileStamp)
        case folder
        /// Nothing exists at the path.
        case missing
        /// The kind is unknown, or is neither a regular file nor a folder.
        case unusable(String)
    }

    /// Reads the status of a path.
    static func target(_ path: String) -> Target {
        var status = stat()
        guard stat(path, &status) == 0 else {
            let code = errno
            return code == ENOENT || code == ENOTDIR ? .missing : .unusable(String(cString: strerror(code)))
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .folder
        case S_IFREG: return .file(FileStamp(status))
        default: return .unusable("not a regular file")
        }
    }

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        written = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
        changed = [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    }
}

/// The files of an inventory on disk at one moment.
struct FileListing {
    /// The stamps of the files, by path.
    var files: [String: FileStamp] = [:]
    /// Unreadable paths with the reason; their earlier objects stay in use.
    var unknown: [String: String] = [:]
    /// Given paths that do not exist.
    var missing: [String] = []

    /// Lists files, and the `*.yaml`, `*.yml` and `*.json` files of folders, without subfolders.
    init(_ paths: [String]) {
        for path in paths {
            switch FileStamp.target(path) {
            case .file(let stamp): files[path] = stamp
            case .folder: addFolder(path)
            case .missing: missing.append(path)
            case .unusable(let reason): unknown[path] = reason
            }
        }
    }

    /// Whether a file that is not listed may still exist, because its path or folder is unreadable.
    func mayHold(_ file: String) -> Bool {
        unknown.keys.contains { file == $0 || file.hasPrefix(Self.folder($0)) }
    }

    private mutating func addFolder(_ path: String) {
        guard let folder = opendir(path) else {
            unknown[path] = String(cString: strerror(errno))
            return
        }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix("."), [".yaml", ".yml", ".json"].contains(where: { name.hasSuffix($0) }) else {
                continue
            }
            add(Self.folder(path) + name)
        }
    }

    private mutating func add(_ path: String) {
        switch FileStamp.target(path) {
        case .file(let stamp): files[path] = stamp
        case .unusable(let reason): unknown[path] = reason
        // Subfolders are not read; the file may have been deleted since the folder was read.
        case .folder, .missing: break
        }
    }

    private static func folder(_ path: String) -> String {
        path.hasSuffix("/") ? path : path + "/"
    }
}
