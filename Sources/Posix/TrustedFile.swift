package import Glibc

/// The reason why a file is not written to.
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

/// Opens files safely for a privileged process: where all users may write to a folder, no other user redirects it.
///
/// Another user may have put a link, a folder or a file in the place of any part of the path. The kernel's settings
/// `fs.protected_symlinks`, `fs.protected_regular` and `fs.protected_hardlinks` prevent a part of that if they are on.
package enum TrustedFile {
    /// The mode of files that are made.
    package static let permissions: mode_t = 0o640

    /// Opens a file for writing, and makes it if need be.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - flags: of `open(2)`, besides those for writing.
    ///   - followsLinks: whether a symbolic link is followed if no other user can have created it; else it is refused, and
    ///     so is a way through a folder where all users may remove files.
    /// - Returns: the open file.
    /// - Throws: why it cannot be opened, or may not be trusted.
    package static func open(
        _ path: String,
        _ flags: Int32 = 0,
        followsLinks: Bool = true
    ) throws(FileError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | flags
        return try open(path, flags, mode: permissions, followsLinks: followsLinks)
    }

    /// Opens a file that is there, for reading; it may be a FIFO, and is not waited for.
    ///
    /// - Throws: why it cannot be opened, or may not be trusted.
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

    /// The open entry of a folder; nil if it is a symbolic link that is not to be followed, or leads in a circle.
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
            // So says the kernel where it protects such folders itself.
            if error.code == EACCES { try walk.checkEntry(name) }
            throw walk.failure(error, at: name)
        }
    }

    /// Makes a folder and those above it where they are missing, and ensures that no other user can redirect its path
    /// or that of an entry, now or later.
    ///
    /// - Parameters:
    ///   - path: the folder.
    ///   - mode: the permissions of new folders; nil to make none.
    /// - Throws: why it cannot be used, or may not be trusted.
    package static func makeFolders(_ path: String, mode: mode_t?) throws(FileError) {
        var walk = try TrustedWalk(path, isLasting: true)
        try walk.enterAll(making: mode)
        try walk.checkFolder()
    }

    /// Ensures that no other user can redirect a path, now or later, or has put something under it.
    ///
    /// - Throws: who can, and what to do.
    package static func check(_ path: String) throws(FileError) {
        var walk = try TrustedWalk(path, isLasting: true)
        let name = try walk.enterFolders()
        try walk.checkFolder()
        try walk.checkEntry(name)
    }

    /// The folder of a path, as it is to be given to system calls.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
