import Glibc
package import Posix

/// An ordered queue of batches on disk, which survives the process.
///
/// Segments are append-only files, named by their numbers; the file `position` contains the delivered position. Each batch is
/// written with one system call, so that a killed process leaves at most one incomplete batch, which is the last one. Checksums
/// detect it, and changed bits on the disk.
///
/// It is used by one thread; the file `lock` excludes other processes.
package final class Spool {
    /// A place in a segment.
    private struct Place {
        var segment: UInt64
        var offset: Int
    }

    /// The maximum size of a segment.
    private static let largestSegment = 8 << 20

    private let folder: String
    private let limit: Int
    /// The maximum size of a segment of this spool; a small spool has several segments, too.
    private let segmentBytes: Int
    private let lock: FileDescriptor
    private let position: FileDescriptor
    /// The numbers of the existing segments, ascending, with their sizes.
    private var segments: [(number: UInt64, size: Int)] = []
    private var writer: FileDescriptor?
    private var reader: FileDescriptor?
    private var readerSegment: UInt64?
    /// Everything before this position is delivered.
    private var cursor = Place(segment: 0, offset: 0)
    /// The end of the batch that was read last and is not settled; nil for none.
    private var readTo: Int?
    /// The number of damaged entries that were skipped.
    private(set) var damaged = 0
    /// The skipped damaged entries since they were last taken.
    private var damages: [SpoolEntry.Damage] = []
    /// The first segment of this run; nil if it has none yet.
    private var firstOfRun: UInt64?
    /// The number of records that were discarded when the spool was opened.
    private(set) var discarded = 0

    /// The size of all segments, in bytes.
    private(set) var bytes = 0

    /// The number of bytes that are not delivered.
    var waitingBytes: Int { bytes - (segments.first?.number == cursor.segment ? cursor.offset : 0) }

    /// Opens a spool, and creates its folder if necessary.
    ///
    /// - Parameters:
    ///   - folder: a folder that only this output uses.
    ///   - limit: the maximum size of all segments, in bytes.
    ///   - lastFlush: the last flush that an earlier run committed: later batches are discarded, because they are made again.
    ///     Nil to discard none.
    /// - Throws: an error if the folder cannot be used.
    package init(folder: String, limit: Int, lastFlush: BatchOrigin? = nil) throws(FileError) {
        self.folder = folder
        self.limit = limit
        segmentBytes = min(Self.largestSegment, limit / 8)
        try TrustedFile.makeFolders(folder, mode: 0o700)
        do throws(SystemError) {
            let flags = O_RDWR | O_CREAT | O_NOFOLLOW
            lock = try FileDescriptor.open(folder + "/lock", flags, mode: 0o600)
            position = try FileDescriptor.open(folder + "/position", flags, mode: 0o600)
            guard try lock.lock() else { throw SystemError("flock", code: EWOULDBLOCK) }
            try find()
            if let lastFlush { try discard(after: lastFlush) }
        } catch {
            let isTaken = error.code == EWOULDBLOCK
            throw FileError(
                path: folder,
                reason: isTaken ? "another process has this spool" : error.description,
                advice: isTaken ? "give each process its own spool folder" : "the folder must allow to write"
            )
        }
    }

    private func find() throws(SystemError) {
        segments = try Self.segments(in: folder)
        bytes = segments.reduce(0) { $0 + $1.size }
        let saved = try position.read(20, at: 0)
        guard saved.count == 20,
            SpoolEntry.checksum(saved[..<16]) == UInt32(SpoolEntry.number(saved[16...]))
        else { return }
        let segment = SpoolEntry.number(saved[..<8])
        let offset = Int(clamping: SpoolEntry.number(saved[8..<16]))
        while let first = segments.first, first.number < segment { removeFirst() }
        cursor = Place(segment: segment, offset: offset)
    }

    /// The segments in a folder, ascending.
    private static func segments(in folder: String) throws(SystemError) -> [(number: UInt64, size: Int)] {
        var segments: [(number: UInt64, size: Int)] = []
        for name in try FolderEntry.names(in: folder) where name.hasSuffix(".segment") {
            guard let number = UInt64(name.dropLast(8), radix: 16),
                let size = FolderEntry.identity(of: folder + "/" + name)?.size
            else { continue }
            segments.append((number, size))
        }
        return segments.sorted { $0.number < $1.number }
    }

    /// Returns the folder of an output's spool in a folder of spools; its name is unique to the output.
    package static func folder(of output: OutputSpecification, in folder: String) -> String {
        let kept = output.description.utf8.map { byte in
            0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte || byte == UInt8(ascii: ".") ? byte : 0x2d
        }
        // Outputs may differ only in the part that the description omits.
        let whole = if case .http(let destination) = output { destination.written } else { output.description }
        let checksum = String(SpoolEntry.checksum(Array(whole.utf8)[...]), radix: 16)
        return folder + "/" + String(decoding: kept.prefix(100), as: UTF8.self) + "-" + checksum
    }

    /// Returns the size of all segments in a folder, in bytes; 0 if the folder cannot be read.
    package static func bytes(in folder: String) -> Int {
        let segments = try? Self.segments(in: folder)
        return segments?.reduce(0) { $0 + $1.size } ?? 0
    }

    /// Discards the batches that were written after a flush; these are in the last segments.
    private func discard(after flush: BatchOrigin) throws(SystemError) {
        for (number, _) in segments.reversed() {
            let file = try FileDescriptor.open(path(number), O_RDWR | O_NOFOLLOW)
            let start = number == cursor.segment ? cursor.offset : 0
            var offset = start
            var beginsBefore = false
            while let head = try SpoolEntry.head(file, at: offset) {
                let isCommitted = head.origin.isCommitted(by: flush)
                if offset == start { beginsBefore = isCommitted && head.origin.counters == flush.counters }
                if !isCommitted, !head.isDiscarded {
                    try SpoolEntry.discard(file, at: offset)
                    discarded += head.records
                }
                offset += head.size
            }
            // Batches of the same counters are in order.
            if beginsBefore { return }
        }
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
    /// - Returns: false if the limit leaves no space.
    /// - Throws: an error if the batch cannot be written; the spool is then unchanged.
    package func append(_ batch: RecordBatch) throws(SystemError) -> Bool {
        let entry = SpoolEntry.bytes(of: batch)
        guard entry.count - SpoolEntry.headBytes <= SpoolEntry.limit, bytes + entry.count <= limit else { return false }
        if writer == nil || (segments.last?.size ?? 0) + entry.count > segmentBytes { try begin() }
        guard let last = segments.indices.last else { return false }
        do throws(SystemError) {
            try writer?.writeAll(entry)
        } catch {
            // If the incomplete part cannot be removed, later batches go to a new segment.
            if (try? writer?.truncate(to: segments[last].size)) == nil { writer = nil }
            throw error
        }
        segments[last].size += entry.count
        bytes += entry.count
        return true
    }

    /// Whether a batch is small enough to drop older batches for it.
    func couldTake(_ batch: RecordBatch) -> Bool { batch.bytes.count < limit / 2 }

    /// Starts a segment; the last segment of an earlier run may end with an incomplete batch.
    private func begin() throws(SystemError) {
        let number = max(segments.last?.number ?? 0, cursor.segment) + 1
        writer = try FileDescriptor.open(
            path(number),
            O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW,
            mode: 0o600
        )
        segments.append((number, 0))
        firstOfRun = firstOfRun ?? number
    }
}

// MARK: - Reading

extension Spool {
    /// Reads the oldest batch that is not settled; nil if there is none.
    ///
    /// Repeated calls return the same batch until ``settle()``.
    package func read() throws(SystemError) -> RecordBatch? {
        while let first = segments.first {
            try openReader(first.number)
            switch try reading() {
            case .batch(let batch, let size):
                readTo = cursor.offset + size
                return batch
            case .discarded(let size):
                cursor.offset += size
                continue
            case .damaged(let behind, let damage):
                damaged += 1
                note(damage, in: first.number)
                cursor.offset = behind
                continue
            case .incomplete:
                damaged += 1
                cursor.offset = first.size
            case .end: break
            }
            // The segment that is being written is kept.
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

    private func note(_ damage: SpoolEntry.Damage, in segment: UInt64) {
        var damage = damage
        damage.isOfRun = firstOfRun.map { segment >= $0 } ?? false
        damages.append(damage)
    }

    /// Returns and removes the damaged entries that were skipped.
    func takeDamages() -> [SpoolEntry.Damage] {
        defer { damages = [] }
        return damages
    }

    /// Undoes the read of a batch that is not being delivered yet.
    func putBack() {
        readTo = nil
    }

    /// Marks the batch that was read last as settled.
    package func settle() {
        guard let end = readTo else { return }
        readTo = nil
        cursor.offset = end
        keepPosition()
    }

    /// Drops the oldest segment to free space; the segment that is being written is kept.
    ///
    /// - Returns: the dropped batches that were neither settled nor read; nil if there is no segment to drop.
    func dropOldest() throws(SystemError) -> [(number: UInt64, records: Int)]? {
        guard segments.count > 1, let first = segments.first else { return nil }
        try openReader(first.number)
        var given: [(number: UInt64, records: Int)] = []
        // The batch that was read last is being delivered.
        cursor.offset = readTo ?? cursor.offset
        readTo = nil
        scan: while true {
            switch try reading() {
            case .batch(let batch, let size):
                given.append((batch.number, batch.records))
                cursor.offset += size
            case .discarded(let size): cursor.offset += size
            case .damaged(let behind, let damage):
                damaged += 1
                note(damage, in: first.number)
                cursor.offset = behind
            case .incomplete:
                damaged += 1
                break scan
            case .end: break scan
            }
        }
        removeFirst()
        cursor = Place(segment: first.number + 1, offset: 0)
        keepPosition()
        return given
    }

    /// Opens a segment for reading.
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
        SpoolEntry.append(UInt64(SpoolEntry.checksum(text[...])), 4, to: &text)
        // If this fails, batches are delivered again after a restart, with the same numbers.
        try? position.writeAll(text, at: 0)
    }

    private func removeFirst() {
        let (number, size) = segments.removeFirst()
        bytes -= size
        try? FolderEntry.remove(path(number))
    }
}
