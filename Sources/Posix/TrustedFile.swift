package import Glibc

/// Why a file is not written to.
public struct FileError: Error, Hashable, CustomStringConvertible {
    /// The file.
    public let path: String
    /// What went wrong.
    public let reason: String
    /// What to do about it.
    public let advice: String

    /// Takes all members.
    package init(path: String, reason: String, advice: String) {
        self.path = path
        self.reason = reason
        self.advice = advice
    }

    /// One line: what, on what, why, what to do.
    public var description: String { "write \(path): \(reason); \(advice)" }
}

/// Opens files safely for a privileged process: in a folder that all users may write to, no other user redirects it.
///
/// Another user may have created a link or a file under the name that will be written. The kernel's settings
/// `fs.protected_symlinks`, `fs.protected_regular` and `fs.protected_hardlinks` prevent the same if they are on.
package enum TrustedFile {
    /// The mode of files that are made.
    package static let permissions: mode_t = 0o640

    /// Opens a file for writing, and makes it if need be.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - flags: of `open(2)`, besides those for writing.
    ///   - followsLinks: whether a symbolic link is followed if no other user can have created it; else it is refused, and
    ///     so is a file in a folder where all users may remove files.
    /// - Returns: the open file.
    /// - Throws: why it cannot be opened, or may not be trusted.
    package static func open(
        _ path: String,
        _ flags: Int32 = 0,
        followsLinks: Bool = true
    ) throws(FileError) -> FileDescriptor {
        if !followsLinks { try checkFolder(of: path) }
        let writing = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | flags
        if let file = try opened(path, writing | O_NOFOLLOW) {
            try check(file, path)
            return file
        }
        try checkLink(path)
        guard followsLinks else {
            throw FileError(path: path, reason: "it is a symbolic link", advice: "give the path that it leads to")
        }
        // The owner of the link chose its target, and the owner is trusted.
        if let file = try opened(path, writing) { return file }
        throw FileError(path: path, reason: "symbolic links lead in a circle", advice: "give the path of a file")
    }

    /// The open file; nil if the path is a symbolic link that is not to be followed, or leads in a circle.
    private static func opened(_ path: String, _ flags: Int32) throws(FileError) -> FileDescriptor? {
        do throws(SystemError) {
            return try FileDescriptor.open(path, flags, mode: permissions)
        } catch {
            if error.code == ELOOP { return nil }
            // So says the kernel where it protects such folders itself.
            if error.code == EACCES, let owner = stranger(at: path) { throw refusal(of: path, owner: owner) }
            throw FileError(path: path, reason: error.description, advice: advice(path, error.code))
        }
    }

    /// The folder of a path, as it is to be given to system calls.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func advice(_ path: String, _ code: Int32) -> String {
        switch code {
        case EACCES, EPERM, EROFS: "the folder \(folder(of: path)) must allow to write"
        case ENXIO: "start the reader of the FIFO first"
        default: "the folder \(folder(of: path)) must exist and allow to write, and the path must be a file there"
        }
    }

    // MARK: Whose choice it was

    /// A folder in which everybody may make entries.
    private struct OpenFolder {
        let path: String
        let owner: uid_t
        /// Whether entries may be removed by their owners only.
        let isSticky: Bool
    }

    /// The folder of a path if everybody may write to it; nil if not, or if there is none.
    private static func openFolder(of path: String) -> OpenFolder? {
        let folder = folder(of: path)
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & S_IWOTH != 0 else { return nil }
        return OpenFolder(path: folder, owner: status.st_uid, isSticky: status.st_mode & S_ISVTX != 0)
    }

    /// Refuses a regular file's place where everybody may put another one into it.
    private static func checkFolder(of path: String) throws(FileError) {
        guard let folder = openFolder(of: path), !folder.isSticky else { return }
        throw FileError(
            path: path,
            reason: "\(folder.path) is a folder where everybody may replace files",
            advice: "take the right to write from others (chmod o-w \(folder.path)), or give a folder of your own"
        )
    }

    private static func checkLink(_ path: String) throws(FileError) {
        guard let folder = openFolder(of: path) else { return }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return }
        guard !folder.isSticky || status.st_uid != geteuid() && status.st_uid != folder.owner else { return }
        throw FileError(
            path: path,
            reason: "it is a symbolic link in \(folder.path), where everybody may put one",
            advice: "give the path that it leads to, or a folder of your own"
        )
    }

    private static func check(_ file: borrowing FileDescriptor, _ path: String) throws(FileError) {
        guard let folder = openFolder(of: path), let status = try? file.ownership() else { return }
        let isOurs = status.owner == geteuid() || status.owner == folder.owner
        guard isOurs else { throw refusal(of: path, owner: status.owner) }
        guard status.isShared else { return }
        throw FileError(
            path: path,
            reason: "it has several names, and \(folder.path) is a folder where everybody may put one",
            advice: "remove it, or give a path in a folder of your own"
        )
    }

    /// Who owns an entry of a folder that everybody may write to, if neither this process nor the folder's owner does.
    private static func stranger(at path: String) -> uid_t? {
        var status = stat()
        guard let folder = openFolder(of: path), lstat(path, &status) == 0 else { return nil }
        return status.st_uid == geteuid() || status.st_uid == folder.owner ? nil : status.st_uid
    }

    private static func refusal(of path: String, owner: uid_t) -> FileError {
        FileError(
            path: path,
            reason: "it is a file of user \(owner) in \(folder(of: path)), where everybody may put one",
            advice: "remove it, or give a path in a folder of your own"
        )
    }
}
