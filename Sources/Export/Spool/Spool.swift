import Glibc
package import Posix

/// Batches of an output on disk, in their order, until somebody has them: they outlive the process and its death.
///
/// Segments are files that only grow, each named by its number; `position` says how far they are delivered. Everything is
/// written with one call for each batch, so that what a dead process leaves is whole but for its last batch, and a
/// checksum finds that, as it finds bits that the disk has changed.
///
/// Used by one thread; `lock` keeps other processes away.
package final class Spool {
    /// A place in a segment.
    private struct Place {
        var segment: UInt64
        var offset: Int
    }

    /// How large a segment becomes at most.
    private static let largestSegment = 8 << 20

    private let folder: String
    private let limit: Int
    /// How large a segment becomes: a small spool has several, too.
    private let segmentBytes: Int
    private let lock: FileDescriptor
    private let position: FileDescriptor
    /// Numbers of the segments that there are, ascending, with their sizes.
    private var segments: [(number: UInt64, size: Int)] = []
    private var writer: FileDescriptor?
    private var reader: FileDescriptor?
    private var readerSegment: UInt64?
    /// All before this place is delivered.
    private var cursor = Place(segment: 0, offset: 0)
    /// Where the batch ends that was read last and is not settled.
    private var readTo: Int?
    /// How many damaged places were passed over.
    private(set) var damaged = 0

    /// How many bytes all segments take.
    private(set) var bytes = 0

    /// How many bytes of it are not delivered.
    var waitingBytes: Int { bytes - (segments.first?.number == cursor.segment ? cursor.offset : 0) }

    /// Opens a spool, and makes its folder if need be.
    ///
    /// - Parameters:
    ///   - folder: a folder for this output alone.
    ///   - limit: the most bytes that all segments take.
    /// - Throws: why it cannot be used.
    package init(folder: String, limit: Int) throws(FileError) {
        self.folder = folder
        self.limit = limit
        segmentBytes = min(Self.largestSegment, limit / 8)
        do throws(SystemError) {
            try FolderEntry.makeFolders(folder, mode: 0o700)
            let flags = O_RDWR | O_CREAT | O_NOFOLLOW
            lock = try FileDescriptor.open(folder + "/lock", flags, mode: 0o600)
            position = try FileDescriptor.open(folder + "/position", flags, mode: 0o600)
            guard try lock.lock() else { throw SystemError("flock", code: EWOULDBLOCK) }
            try find()
        } catch {
            let isTaken = error.code == EWOULDBLOCK
            throw FileError(
                path: folder,
                reason: isTaken ? "another process has this spool" : error.description,
                advice: isTaken ? "give each process a spool folder of its own" : "the folder must allow to write"
            )
        }
    }

    private func find() throws(SystemError) {
        for name in try FolderEntry.names(in: folder) where name.hasSuffix(".segment") {
            guard let number = UInt64(name.dropLast(8), radix: 16),
                let size = FolderEntry.identity(of: folder + "/" + name)?.size
            else { continue }
            segments.append((number, size))
        }
        segments.sort { $0.number < $1.number }
        bytes = segments.reduce(0) { $0 + $1.size }
        let saved = try position.read(20, at: 0)
        guard saved.count == 20,
            SpoolEntry.checksum(Array(saved[..<16])) == UInt32(SpoolEntry.number(saved[16...]))
        else { return }
        let segment = SpoolEntry.number(saved[..<8])
        let offset = Int(clamping: SpoolEntry.number(saved[8..<16]))
        while let first = segments.first, first.number < segment { removeFirst() }
        cursor = Place(segment: segment, offset: offset)
    }

    private func path(_ number: UInt64) -> String {
        let text = String(number, radix: 16)
        return folder + "/" + String(repeating: "0", count: 16 - text.count) + text + ".segment"
    }
}

// MARK: - Writing

extension Spool {
    /// Appends a batch.
    ///
    /// - Returns: false where the limit leaves no room for it.
    /// - Throws: why it cannot be written; nothing of it is there then.
    package func append(_ batch: RecordBatch) throws(SystemError) -> Bool {
        let entry = SpoolEntry.bytes(of: batch)
        guard entry.count - SpoolEntry.headBytes <= SpoolEntry.limit, bytes + entry.count <= limit else { return false }
        if writer == nil || (segments.last?.size ?? 0) + entry.count > segmentBytes { try begin() }
        guard let last = segments.indices.last else { return false }
        do throws(SystemError) {
            try writer?.writeAll(entry)
        } catch {
            // A part of it is no batch: what follows goes to another segment if the part cannot be removed.
            if (try? writer?.truncate(to: segments[last].size)) == nil { writer = nil }
            throw error
        }
        segments[last].size += entry.count
        bytes += entry.count
        return true
    }

    /// Whether a batch is small enough that it is worth giving up others for it.
    func couldTake(_ batch: RecordBatch) -> Bool { batch.bytes.count < limit / 2 }

    /// Begins a segment; one of an earlier run may end in a part of a batch.
    private func begin() throws(SystemError) {
        let number = max(segments.last?.number ?? 0, cursor.segment) + 1
        writer = try FileDescriptor.open(
            path(number),
            O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW,
            mode: 0o600
        )
        segments.append((number, 0))
    }
}

// MARK: - Reading

extension Spool {
    /// The oldest batch that nobody has yet; nil if there is none.
    ///
    /// It is the same again until ``settle()``.
    package func read() throws(SystemError) -> RecordBatch? {
        while let first = segments.first {
            try openReader(first.number)
            switch try reading() {
            case .batch(let batch, let size):
                readTo = cursor.offset + size
                return batch
            case .damaged(let behind):
                damaged += 1
                cursor.offset = behind ?? first.size
                if cursor.offset < first.size { continue }
            case .end: break
            }
            // The segment that still grows stays.
            guard writer == nil || segments.count > 1 else { return nil }
            removeFirst()
            cursor = Place(segment: first.number + 1, offset: 0)
            keepPosition()
        }
        return nil
    }

    private func reading() throws(SystemError) -> SpoolEntry.Reading {
        switch reader {
        case .some(let file): try SpoolEntry.read(file, at: cursor.offset)
        case .none: .end
        }
    }

    /// The batch that was read last is somebody else's now.
    package func settle() {
        guard let end = readTo else { return }
        readTo = nil
        cursor.offset = end
        keepPosition()
    }

    /// Gives up the oldest segment, so that there is room for others; the one that still grows stays.
    ///
    /// - Returns: what was given up: batches that nobody has yet; nil where there is no segment to give up.
    func dropOldest() throws(SystemError) -> [(number: UInt64, records: Int)]? {
        guard segments.count > 1, let first = segments.first else { return nil }
        try openReader(first.number)
        var given: [(number: UInt64, records: Int)] = []
        // The batch that was read last is on its way.
        cursor.offset = readTo ?? cursor.offset
        readTo = nil
        scan: while true {
            switch try reading() {
            case .batch(let batch, let size):
                given.append((batch.number, batch.records))
                cursor.offset += size
            case .damaged(let behind):
                damaged += 1
                guard let behind else { break scan }
                cursor.offset = behind
            case .end: break scan
            }
        }
        removeFirst()
        cursor = Place(segment: first.number + 1, offset: 0)
        keepPosition()
        return given
    }

    /// Reads from a segment, from where it is delivered to.
    private func openReader(_ number: UInt64) throws(SystemError) {
        if cursor.segment != number { cursor = Place(segment: number, offset: 0) }
        guard readerSegment != number else { return }
        reader = try FileDescriptor.open(path(number), O_RDONLY | O_NOFOLLOW)
        readerSegment = number
    }

    private func keepPosition() {
        var text: [UInt8] = []
        SpoolEntry.append(cursor.segment, 8, to: &text)
        SpoolEntry.append(UInt64(cursor.offset), 8, to: &text)
        SpoolEntry.append(UInt64(SpoolEntry.checksum(text)), 4, to: &text)
        // Without it, batches are delivered twice after a restart, under the same number.
        try? position.writeAll(text, at: 0)
    }

    private func removeFirst() {
        let (number, size) = segments.removeFirst()
        bytes -= size
        try? FolderEntry.remove(path(number))
    }
}
