import Glibc

/// A walk along a path, component by component, on which no other user chooses the way.
///
/// Each folder is held open while its entry is looked at, so that it cannot be exchanged in between. In a folder that all
/// users may write to, an entry counts only if root, this process or the folder's owner has made it: what the kernel
/// does for symbolic links if `fs.protected_symlinks` is on, and for folders and files as well.
struct TrustedWalk: ~Copyable {
    /// The path as it was given.
    private let path: String
    /// Whether the way must stay the same when it is gone again: no user may rename a part of it.
    private let isLasting: Bool
    /// Whether what is at the end is only read.
    private let isReading: Bool
    /// The folder that was reached.
    private(set) var folder: FileDescriptor
    /// Its path, for messages.
    private var place: String
    /// The components that are not walked yet, the last one first.
    private var rest: [Substring] = []
    private var links = 0

    /// The most symbolic links, as in the kernel (`path_resolution(7)`).
    private static let linkLimit = 40

    /// Begins at the root, or in the working folder.
    init(_ path: String, isLasting: Bool, isReading: Bool = false) throws(FileError) {
        self.path = path
        self.isLasting = isLasting
        self.isReading = isReading
        place = path.hasPrefix("/") ? "/" : "."
        do throws(SystemError) {
            guard !path.isEmpty else { throw SystemError("open", code: ENOENT) }
            folder = try .open(place, FileDescriptor.placeOnly | O_DIRECTORY)
        } catch {
            throw FileError(path: path, reason: error.description, advice: "give the path of a file")
        }
        push(path)
    }

    private mutating func push(_ path: String) {
        // What ends with a slash is a folder, and so is its entry `.`.
        if path.hasSuffix("/") { rest.append(".") }
        rest += path.split(separator: "/").reversed()
    }

    /// Walks to the folder of the last component, and returns this component.
    mutating func enterFolders() throws(FileError) -> String {
        while rest.count > 1 { try enter(String(rest.removeLast()), making: nil) }
        return String(rest.popLast() ?? ".")
    }

    /// Walks to the end, and makes folders that are missing.
    ///
    /// - Parameter mode: the permissions of new folders; nil to make none.
    /// - Throws: why a folder cannot be entered, or who could exchange it.
    mutating func enterAll(making mode: mode_t?) throws(FileError) {
        while let name = rest.popLast() { try enter(String(name), making: mode) }
    }

    private mutating func enter(_ name: String, making mode: mode_t?) throws(FileError) {
        let entry = try found(name, making: mode)
        let status = try status(of: entry, name)
        switch status.st_mode & S_IFMT {
        case S_IFLNK where folder.isOfKernel: folder = try found(name, FileDescriptor.placeOnly | O_DIRECTORY)
        case S_IFLNK: return try follow(entry, status, name)
        case S_IFDIR:
            if name != ".", name != ".." { try check(status, name) }
            folder = entry
        default: throw failure(SystemError("open", code: ENOTDIR), at: name)
        }
        place = path(of: name)
    }

    private func found(_ name: String, making mode: mode_t?) throws(FileError) -> FileDescriptor {
        guard let mode else { return try found(name, FileDescriptor.placeOnly | O_NOFOLLOW) }
        do throws(SystemError) {
            do throws(SystemError) {
                return try folder.openEntry(name, FileDescriptor.placeOnly | O_NOFOLLOW)
            } catch  where error.code == ENOENT {
                try folder.makeFolder(name, mode: mode)
            }
        } catch {
            // Another process may have made it in the meantime.
            guard error.code == EEXIST else { throw failure(error, at: name) }
        }
        return try found(name, FileDescriptor.placeOnly | O_NOFOLLOW)
    }

    private func found(_ name: String, _ flags: Int32) throws(FileError) -> FileDescriptor {
        do throws(SystemError) {
            return try folder.openEntry(name, flags)
        } catch {
            throw failure(error, at: name)
        }
    }

    /// The status of an open entry.
    func status(of entry: borrowing FileDescriptor, _ name: String) throws(FileError) -> stat {
        do throws(SystemError) {
            return try entry.rawStatus()
        } catch {
            throw failure(error, at: name)
        }
    }

    /// Goes on where a symbolic link of the folder leads to, if that was a trusted user's choice.
    ///
    /// - Returns: whether this process is to follow it; if not, the kernel.
    mutating func follow(_ name: String) throws(FileError) -> Bool {
        if folder.isOfKernel { return false }
        let entry = try found(name, FileDescriptor.placeOnly | O_NOFOLLOW)
        let status = try status(of: entry, name)
        // It is none any more: the next attempt sees what it is.
        guard status.st_mode & S_IFMT == S_IFLNK else {
            rest.append(Substring(name))
            return true
        }
        try follow(entry, status, name)
        return true
    }

    private mutating func follow(
        _ entry: borrowing FileDescriptor,
        _ status: stat,
        _ name: String
    ) throws(FileError) {
        try check(status, name)
        links += 1
        guard links <= Self.linkLimit else {
            throw FileError(path: path, reason: "symbolic links lead in a circle", advice: "give the path of a file")
        }
        let target: String
        do throws(SystemError) {
            target = try entry.linkTarget()
            if target.hasPrefix("/") { folder = try .open("/", FileDescriptor.placeOnly | O_DIRECTORY) }
        } catch {
            throw failure(error, at: name)
        }
        if target.hasPrefix("/") { place = "/" }
        push(target)
    }
}

// MARK: - Whose choice it was

extension TrustedWalk {
    /// Refuses an entry of the folder if the folder is open to all users, and one of them may have put it there.
    func check(_ status: stat, _ name: String) throws(FileError) {
        guard let around = try? folder.rawStatus(), around.st_mode & S_IWOTH != 0 else { return }
        let isSticky = around.st_mode & S_ISVTX != 0
        let isLink = status.st_mode & S_IFMT == S_IFLNK
        let isTrusted = [0, geteuid(), around.st_uid].contains(status.st_uid)
        guard isTrusted, isSticky || !isLink else {
            let what = "\(Self.kind(status)) of user \(status.st_uid)"
            throw FileError(
                path: path,
                reason: "\(path(of: name)) is \(what) in \(place), where everybody may put one",
                advice: isTrusted
                    ? "give the path that it leads to, or a path in a folder of your own"
                    : "remove it, or give a path in a folder of your own"
            )
        }
        if isLasting { try checkFolder() }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink > 1 else { return }
        throw FileError(
            path: path,
            reason: "it has several names, and \(place) is a folder where everybody may put one",
            advice: "remove it, or give a path in a folder of your own"
        )
    }

    /// Refuses the folder if all users may rename what is in it, and the way must last.
    func checkFolder() throws(FileError) {
        guard isLasting, let around = try? folder.rawStatus() else { return }
        guard around.st_mode & S_IWOTH != 0, around.st_mode & S_ISVTX == 0 else { return }
        throw FileError(
            path: path,
            reason: "\(place) is a folder where everybody may replace files",
            advice: "take the right to write from others (chmod o-w \(place)), or give a folder of your own"
        )
    }

    /// Refuses an entry that could not be opened if the reason is whose it is.
    func checkEntry(_ name: String) throws(FileError) {
        guard let entry = try? folder.openEntry(name, FileDescriptor.placeOnly | O_NOFOLLOW),
            let status = try? entry.rawStatus()
        else { return }
        try check(status, name)
    }

    private static func kind(_ status: stat) -> String {
        switch status.st_mode & S_IFMT {
        case S_IFLNK: "a symbolic link"
        case S_IFDIR: "a folder"
        default: "a file"
        }
    }

    private func path(of name: String) -> String {
        switch place {
        case "/": "/\(name)"
        case ".": name
        default: "\(place)/\(name)"
        }
    }

    /// The failure of a system call on an entry of the folder.
    func failure(_ error: SystemError, at name: String) -> FileError {
        let isEnd = rest.isEmpty && path(of: name) == path
        let around = isEnd ? place : self.path(of: name)
        let advice =
            switch error.code {
            case _ where isReading: "it must be a file that this user can read"
            case EACCES, EPERM, EROFS: "the folder \(around) must allow to write"
            case ENXIO: "start the reader of the FIFO first"
            default: "the folder \(around) must exist and allow to write, and the path must be a file there"
            }
        return FileError(path: path, reason: error.description, advice: advice)
    }
}
