import Glibc
package import Posix

/// Reads a log file as it grows, across the API server's rotation, which renames it to `NAME-TIME.EXT` and begins a new one.
///
/// Files that were rotated while no follower ran are found by their names and read in order. ``position`` is the place
/// from which a later follower continues.
package struct AuditFollower: ~Copyable {
    private static let chunk = 256 << 10

    private let path: String
    private let readsRotated: Bool
    private var file: OpenFile?
    private var lines = AuditLines()
    /// The place to look first; nil after that.
    private var wanted: AuditPosition?

    /// The events of files.
    package struct Events: Sendable, Hashable {
        /// Files that were read to their ends and left for the next one.
        package var rotations = 0
        /// Files that became shorter and were read anew.
        package var truncations = 0
        /// Files whose last line has no end; the line is given all the same.
        package var tornEnds = 0
        /// The number of times that the place to go on from was gone: lines may be lost.
        package var gaps = 0

        /// Creates counts without events.
        package init() {}
    }

    /// The events so far.
    package private(set) var events = Events()

    /// Follows a file, which need not be there yet.
    ///
    /// - Parameters:
    ///   - path: the file that is written.
    ///   - position: where to go on; nil to begin at the beginning of the file.
    ///   - readsRotated: whether to begin without a position with the oldest file that it was rotated to.
    package init(_ path: String, from position: AuditPosition?, readsRotated: Bool = false) {
        self.path = path
        self.readsRotated = readsRotated
        wanted = position
    }

    /// The buffer with the lines that ``next()`` returns, until its next call.
    package var buffer: [UInt8] { lines.buffer }

    /// The start of the next line; nil before a file was open.
    package var position: AuditPosition? {
        file?.position(after: lines.consumed) ?? wanted
    }

    /// The next line; nil if there is none now.
    ///
    /// - Throws: if a file cannot be opened or read; the next call tries again.
    package mutating func next() throws(SystemError) -> AuditLines.Line? {
        while true {
            if let line = lines.next() { return line }
            if file == nil, try !openFirst() { return nil }
            if try readMore() { continue }
            switch try advance() {
            case .nothing: return nil
            case .more: continue
            case .torn:
                guard let last = lines.last() else { continue }
                events.tornEnds += 1
                return last
            }
        }
    }

    // MARK: - Reading

    /// The state at the end of a file.
    private enum End {
        /// Nothing yet.
        case nothing
        /// Something to read, in it or in another one.
        case more
        /// A line whose end will never come.
        case torn
    }

    private mutating func readMore() throws(SystemError) -> Bool {
        guard let bytes = try file?.read(Self.chunk), !bytes.isEmpty else { return false }
        lines.append(bytes)
        return true
    }

    /// Goes on at the end of a file: in a shorter file, or in the next one.
    private mutating func advance() throws(SystemError) -> End {
        guard let open = file?.identity, let readTo = file?.readTo, let isLeft = file?.isLeft else { return .nothing }
        if let size = try file?.size(), size < readTo {
            guard try self.open(path) else { return .nothing }
            events.truncations += 1
            return .more
        }
        guard isLeft else {
            // Between a rotation and the next event there may be no file of that name.
            let current = FolderEntry.identity(of: path)
            guard current.map({ !$0.isSame(as: open) }) ?? (successor(of: open) != nil) else { return .nothing }
            // Something may have been written between the last look at the end and the new name.
            file?.isLeft = true
            return .more
        }
        if lines.pending > 0 { return .torn }
        guard try self.open(successor(of: open) ?? path) else { return .nothing }
        events.rotations += 1
        return .more
    }

    /// Opens a file in the place of the present one; false if there is none of that name, which may have been renamed meanwhile.
    private mutating func open(_ path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            file = try OpenFile(path, at: 0)
        } catch {
            guard error.code == ENOENT else { throw error }
            return false
        }
        lines = AuditLines()
        return true
    }

    // MARK: - Which file

    private mutating func openFirst() throws(SystemError) -> Bool {
        if let position = wanted {
            for name in rotated + [path] {
                guard let found = try? OpenFile(name, at: position.offset), position.isIn(found.identity) else {
                    continue
                }
                guard try found.size() >= position.offset, found.head.isBeginning(of: position.head) else { continue }
                file = consume found
                lines = AuditLines()
                wanted = nil
                return true
            }
            // The file was removed; all that are left are newer.
            events.gaps += 1
            wanted = nil
            return try open(rotated.first ?? path)
        }
        return try open(readsRotated ? rotated.first ?? path : path)
    }

    private func successor(of identity: FileIdentity) -> String? {
        let names = rotated
        guard let index = names.firstIndex(where: { FolderEntry.identity(of: $0)?.isSame(as: identity) == true }) else {
            return nil
        }
        return index + 1 < names.count ? names[index + 1] : nil
    }

    /// The rotated files, the oldest first.
    private var rotated: [String] { RotatedLog.files(of: path) }
}

/// A file that is open, and how far it was read.
private struct OpenFile: ~Copyable {
    let descriptor: FileDescriptor
    let identity: FileIdentity
    /// The start of the lines that are in memory.
    let base: Int
    private(set) var readTo: Int
    private(set) var head: FileHead
    /// Whether the log goes on in another file.
    var isLeft = false

    init(_ path: String, at offset: Int) throws(SystemError) {
        // Neither a pipe nor a device is a log, and opening one must not wait.
        let opened = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
        let identity = try opened.identity()
        guard try opened.status().type == S_IFREG else { throw SystemError("open", code: EINVAL) }
        head = FileHead(try opened.read(FileHead.length, at: 0))
        (base, readTo) = (offset, offset)
        self.identity = identity
        descriptor = opened
    }

    /// The place behind a number of bytes of lines.
    func position(after consumed: Int) -> AuditPosition {
        AuditPosition(identity, offset: base + consumed, head: head)
    }

    func size() throws(SystemError) -> Int { try descriptor.status().size }

    mutating func read(_ count: Int) throws(SystemError) -> [UInt8] {
        let bytes = try descriptor.read(count, at: readTo)
        if head.count < FileHead.length, readTo < FileHead.length, !bytes.isEmpty {
            head = FileHead(try descriptor.read(FileHead.length, at: 0))
        }
        readTo += bytes.count
        return bytes
    }
}
