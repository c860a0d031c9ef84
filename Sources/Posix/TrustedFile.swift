package import Glibc

/// The reason why a file is not opened.
package struct FileError: Error, Hashable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// The reason.
    package let reason: String
    /// The remedy.
    package let advice: String

    /// Takes all members.
    package init(path: String, reason: String, advice: String) {
        self.path = path
        self.reason = reason
        self.advice = advice
    }

    /// One line: the operation, its object, the reason and the remedy.
    package var description: String { "write \(path): \(reason); \(advice)" }
}

/// Opens files safely for a privileged process, also in folders where all users may write.
///
/// Another user may have put a link, a folder or a file in place of any component of the path, to redirect the process.
/// The kernel's settings `fs.protected_symlinks`, `fs.protected_regular` and `fs.protected_hardlinks` prevent only a part
/// of that, and only if they are on.
package enum TrustedFile {
    /// The mode of new files.
    package static let permissions: mode_t = 0o640

    /// Opens a file for writing, and creates it if it does not exist.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - flags: flags of `open(2)`, besides those for writing.
    ///   - followsLinks: true to follow a symbolic link if no other user can have created it; false to refuse every link,
    ///     and every path through a folder where all users may remove files.
    /// - Returns: the open file.
    /// - Throws: the reason why it cannot be opened, or cannot be trusted.
    package static func open(
        _ path: String,
        _ flags: Int32 = 0,
        followsLinks: Bool = true
    ) throws(FileError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | flags
        return try open(path, flags, mode: permissions, followsLinks: followsLinks)
    }

    /// Opens an existing file for reading; for a FIFO it does not wait for a writer.
    ///
    /// - Throws: the reason why it cannot be opened, or cannot be trusted.
    package static func openForReading(_ path: String) throws(FileError) -> FileDescriptor {
        try open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, mode: 0, followsLinks: true)
    }

    /// Opens a file with all flags of `open(2)`; see ``open(_:_:followsLinks:)``.
    package static func open(
        _ path: String,
        _ flags: Int32,
        mode: mode_t,
        followsLinks: Bool
    ) throws(FileError) -> FileDescriptor {
        let isReading = flags & (O_ACCMODE | O_CREAT) == O_RDONLY
        var walk = try TrustedWalk(path, isLasting: !followsLinks, isReading: isReading)
        while true {
            let name = try walk.enterFolders()
            try walk.checkFolder()
            if let file = try opened(name, flags | O_NOFOLLOW, mode, walk) {
                try walk.check(try walk.status(of: file, name), name)
                return file
            }
            guard followsLinks else {
                try walk.checkEntry(name)
                throw FileError(path: path, reason: "it is a symbolic link", advice: "give the path that it leads to")
            }
            guard try !walk.follow(name) else { continue }
            if let file = try opened(name, flags, mode, walk) { return file }
            throw FileError(path: path, reason: "symbolic links lead in a circle", advice: "give the path of a file")
        }
    }

    /// The open entry of a folder; nil if it is a symbolic link that must not be followed, or if links form a circle.
    private static func opened(
        _ name: String,
        _ flags: Int32,
        _ mode: mode_t,
        _ walk: borrowing TrustedWalk
    ) throws(FileError) -> FileDescriptor? {
        do throws(SystemError) {
            return try walk.folder.openEntry(name, flags, mode: mode)
        } catch {
            if error.code == ELOOP { return nil }
            // The kernel returns EACCES where it protects such folders itself.
            if error.code == EACCES { try walk.checkEntry(name) }
            throw walk.failure(error, at: name)
        }
    }

    /// Makes a folder and its missing parents, and checks that no other user can redirect its path or that of an entry.
    ///
    /// The check covers later changes by other users, too.
    ///
    /// - Parameters:
    ///   - path: the folder.
    ///   - mode: the permissions of new folders; nil to make none.
    /// - Throws: the reason why it cannot be used, or cannot be trusted.
    package static func makeFolders(_ path: String, mode: mode_t?) throws(FileError) {
        var walk = try TrustedWalk(path, isLasting: true)
        try walk.enterAll(making: mode)
        try walk.checkFolder()
    }

    /// Checks that no other user can redirect a path, now or later, and that no other user has created its last entry.
    ///
    /// - Throws: the user that can, and the remedy.
    package static func check(_ path: String) throws(FileError) {
        var walk = try TrustedWalk(path, isLasting: true)
        let name = try walk.enterFolders()
        try walk.checkFolder()
        try walk.checkEntry(name)
    }

    /// The folder of a path, in the form that system calls accept.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
