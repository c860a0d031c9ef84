import Glibc

/// Walks along a path, component by component, so that no other user can redirect it.
///
/// Each folder is held open while its entry is checked, so that it cannot be exchanged in between. In a folder where all
/// users may write, an entry is accepted only if root, this process or the folder's owner has made it. The kernel checks
/// symbolic links in this way if `fs.protected_symlinks` is on; the walk also checks folders and files.
struct TrustedWalk: ~Copyable {
    /// The path as it was given.
    private let path: String
    /// Whether the path must stay the same after the walk: no other user may rename a component.
    private let isLasting: Bool
    /// Whether the file at the end of the path is only read.
    private let isReading: Bool
    /// The folder that the walk has reached.
    private(set) var folder: FileDescriptor
    /// Its path, for messages.
    private var place: String
    /// The components that remain, the last one first.
    private var rest: [Substring] = []
    private var links = 0

    /// The most symbolic links, as in the kernel (`path_resolution(7)`).
    private static let linkLimit = 40

    /// Begins at the root, or in the working folder for a relative path.
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
        // A path with a slash at the end is a folder; its entry `.` is the last component.
        if path.hasSuffix("/") { rest.append(".") }
        rest += path.split(separator: "/").reversed()
    }

    /// Walks to the folder of the last component, and returns the name of this component.
    mutating func enterFolders() throws(FileError) -> String {
        while rest.count > 1 { try enter(String(rest.removeLast()), making: nil) }
        return String(rest.popLast() ?? ".")
    }

    /// Walks to the end of the path, and makes missing folders.
    ///
    /// - Parameter mode: the permissions of new folders; nil to make none.
    /// - Throws: the reason why a folder cannot be entered, or the user that could exchange it.
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

    /// Continues at the target of a symbolic link in the folder, if a trusted user has made the link.
    ///
    /// - Returns: true if this walk continues at the target; false if the kernel must follow the link.
    mutating func follow(_ name: String) throws(FileError) -> Bool {
        if folder.isOfKernel { return false }
        let entry = try found(name, FileDescriptor.placeOnly | O_NOFOLLOW)
        let status = try status(of: entry, name)
        // The entry is no longer a link: the next attempt checks what it is now.
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

// MARK: - Trusted owners

extension TrustedWalk {
    /// Refuses an entry if all users may write to the folder and an untrusted user may have made the entry.
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

    /// Refuses the folder if all users may rename its entries, and the path must stay the same.
    func checkFolder() throws(FileError) {
        guard isLasting, let around = try? folder.rawStatus() else { return }
        guard around.st_mode & S_IWOTH != 0, around.st_mode & S_ISVTX == 0 else { return }
        throw FileError(
            path: path,
            reason: "\(place) is a folder where everybody may replace files",
            advice: "take the right to write from others (chmod o-w \(place)), or give a folder of your own"
        )
    }

    /// Refuses an entry that could not be opened, if its owner is the reason.
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
