import FlowModel
import GRDB
import Glibc
import Records
import Synchronization

/// Reads the store while or after it is written; may be called from any thread, one at a time.
package final class StoreReader: Sendable {
    /// An open file, and what was read of it.
    private final class Source: Sendable {
        let queue: any DatabaseReader
        /// The identity of the file; nil for a store in memory.
        let file: FileIdentity?
        let keys = Mutex<[StoredKey]>([])

        init(_ queue: any DatabaseReader, _ file: FileIdentity?) {
            (self.queue, self.file) = (queue, file)
        }
    }

    private let source: Mutex<Source>
    /// The path of the file; nil for a store in memory.
    package let path: String?

    /// Opens the store at a path, without changing the file.
    ///
    /// - Throws: `StoreError` if it cannot be read.
    package init(path: String) throws {
        let file = FileIdentity(path)
        source = Mutex(Source(try StoreDatabase.openForReading(path), file))
        self.path = path
    }

    /// Reads the store of a writer in this process.
    package init(of writer: StoreWriter) {
        source = Mutex(Source(writer.queue, nil))
        path = nil
    }

    /// Returns the open file, or the one at the path if a writer has set the open one aside since.
    private func current() -> Source {
        source.withLock { source in
            guard let path, let file = FileIdentity(path), file != source.file else { return source }
            // The writer may be just creating its tables.
            guard let queue = try? StoreDatabase.openForReading(path) else { return source }
            source = Source(queue, file)
            return source
        }
    }

    /// Calls a body with a consistent snapshot of the store.
    package func read<Result>(_ body: (StoreSnapshot) throws -> Result) throws -> Result {
        let source = current()
        do {
            return try source.queue.read { db in
                let access = StoreAccess(db)
                return try body(StoreSnapshot(access: access, keys: try keys(access, source)))
            }
        } catch let error as DatabaseError {
            throw StoreDatabase.isDamage(error)
                ? StoreError.corrupt(error.message ?? "")
                : StoreError.unavailable(error.message ?? "\(error)")
        }
    }

    /// Returns all flow keys; reads only those that were added since the last call.
    private func keys(_ access: StoreAccess, _ source: Source) throws -> [StoredKey] {
        try source.keys.withLock { known in
            try access.keys(from: known.count) { number, json in
                guard number == known.count else { throw StoreError.corrupt("flow key \(known.count) is missing") }
                known.append(try StoredKey(json: json))
            }
            return known
        }
    }
}

/// The identity of a file: another file at the same path has another one.
private struct FileIdentity: Equatable {
    let device: UInt
    let inode: UInt

    /// Returns the identity of the file at a path; nil if there is none.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, inode) = (UInt(status.st_dev), UInt(status.st_ino))
    }
}

/// A consistent snapshot of the store.
package struct StoreSnapshot {
    let access: StoreAccess
    /// All flow keys, by their numbers.
    package let keys: [StoredKey]

    /// The amount of stored data.
    package struct Extent: Sendable {
        /// The number of single records.
        package var records: Int
        /// The number of used bytes of the file.
        package var bytes: Int
        /// The time after which there are single records, Unix seconds; nil if there are none.
        package var oldestRecord: Int64?
        /// The time after which there are records or sums, Unix seconds; nil if there are none.
        package var oldest: Int64?
        /// The time until which there are records, Unix seconds: the end of the newest minute; nil if there are none.
        package var newest: Int64?
        /// The number of flow keys.
        package var keys: Int
    }

    /// Returns the amount of stored data.
    package func extent() throws -> Extent {
        let minutes = try access.bounds(.minute)
        let firsts = try BlockID.Span.allCases.compactMap { try access.bounds($0)?.first }
        var records = 0
        if let minutes {
            records = try access.blocks(.minute, from: minutes.first, before: minutes.last + 60)
                .reduce(0) { $0 + $1.records }
        }
        return Extent(
            records: records,
            bytes: try access.usedBytes(),
            oldestRecord: minutes?.first,
            oldest: firsts.min(),
            newest: minutes.map { $0.last + 60 },
            keys: keys.count
        )
    }

    /// Returns the minutes of a range that have records, Unix seconds, ascending.
    package func minutes(after since: Int64, upTo until: Int64) throws -> [Int64] {
        var minutes: [Int64] = []
        for block in try access.blocks(.minute, from: since / 60 * 60, before: until)
        where minutes.last != block.id.start {
            minutes.append(block.id.start)
        }
        return minutes
    }
}
