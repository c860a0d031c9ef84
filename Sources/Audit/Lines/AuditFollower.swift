import Glibc
package import Posix

/// Reads a growing log file across the API server's rotations, which rename it to `NAME-TIME.EXT` and start a new one.
///
/// Files that were rotated while no follower ran are found by name and read in order. A later follower continues at
/// ``position``.
package struct AuditFollower: ~Copyable {
    private static let chunk = 64 << 10

    private let path: String
    private let readsRotated: Bool
    private var file: OpenFile?
    private var lines = AuditLines()
    /// The position to search for first; nil once that is done.
    private var wanted: AuditPosition?

    /// Counts of events in the followed files.
    package struct Events: Sendable, Hashable {
        /// Files that were read to their end and followed by the next one.
        package var rotations = 0
        /// Files that were truncated and read again from the beginning.
        package var truncations = 0
        /// Files whose last line has no newline; the line is returned anyway.
        package var tornEnds = 0
        /// The number of times that the position to continue from no longer existed; lines may be lost then.
        package var gaps = 0

        /// Creates counts without events.
        package init() {}
    }

    /// The events so far.
    package private(set) var events = Events()

    /// Follows a file, which may not exist yet.
    ///
    /// - Parameters:
    ///   - path: the current log file.
    ///   - position: the position to continue from; nil for the beginning of the file.
    ///   - readsRotated: whether to start with the oldest rotated file if there is no position.
    package init(_ path: String, from position: AuditPosition?, readsRotated: Bool = false) {
        self.path = path
        self.readsRotated = readsRotated
        wanted = position
    }

    /// The buffer that contains the line returned by ``next()``, valid until its next call.
    package var buffer: [UInt8] { lines.buffer }

    /// The start of the next line; nil before a file was opened.
    package var position: AuditPosition? {
        file?.position(after: lines.consumed) ?? wanted
    }

    /// Returns the next line; nil if there is none now.
    ///
    /// - Throws: an error if a file cannot be opened or read; the next call tries again.
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
        /// There is nothing to read.
        case nothing
        /// There is more to read, in this file or another one.
        case more
        /// The last line of a file is incomplete and will not be completed.
        case torn
    }

    private mutating func readMore() throws(SystemError) -> Bool {
        guard let bytes = try file?.read(Self.chunk), !bytes.isEmpty else { return false }
        lines.append(bytes)
        return true
    }

    /// Continues at the end of a file: in the same file after a truncation, or in the next file.
    private mutating func advance() throws(SystemError) -> End {
        guard let open = file?.identity, let readTo = file?.readTo, let isLeft = file?.isLeft else { return .nothing }
        if let size = try file?.size(), size < readTo {
            guard try self.open(path) else { return .nothing }
            events.truncations += 1
            return .more
        }
        guard isLeft else {
            // After a rotation, there may be no file of that name until the next event.
            let current = FolderEntry.identity(of: path)
            guard current.map({ !$0.isSame(as: open) }) ?? (successor(of: open) != nil) else { return .nothing }
            // The file may have been extended between the last read and the rename.
            file?.isLeft = true
            return .more
        }
        if lines.pending > 0 { return .torn }
        guard try self.open(successor(of: open) ?? path) else { return .nothing }
        events.rotations += 1
        return .more
    }

    /// Opens a file in place of the current one; false if it does not exist, because it was renamed meanwhile.
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

    // MARK: - Files

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
            // The file was removed; all remaining files are newer.
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

    /// The rotated files, oldest first.
    private var rotated: [String] { RotatedLog.files(of: path) }
}

/// An open file and the read position.
private struct OpenFile: ~Copyable {
    let descriptor: FileDescriptor
    let identity: FileIdentity
    /// The offset of the buffered lines in the file.
    let base: Int
    private(set) var readTo: Int
    private(set) var head: FileHead
    /// Whether the log continues in another file.
    var isLeft = false

    init(_ path: String, at offset: Int) throws(SystemError) {
        // Pipes and devices are not logs; opening one must not block.
        let opened = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
        let identity = try opened.identity()
        guard try opened.status().type == S_IFREG else { throw SystemError("open", code: EINVAL) }
        head = FileHead(try opened.read(FileHead.length, at: 0))
        (base, readTo) = (offset, offset)
        self.identity = identity
        descriptor = opened
    }

    /// Returns the position after a number of consumed bytes.
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
