import FlowModel
import GRDB
import Records
import Synchronization

/// Reads the store, beside its writer or after it; any thread, one at a time.
package final class StoreReader: Sendable {
    private let queue: any DatabaseReader
    private let keys = Mutex<[StoredKey]>([])
    /// The file; nil for a store in memory.
    package let path: String?

    /// Opens the store of a path; the file is not changed.
    ///
    /// - Throws: `StoreError` if it cannot be read.
    package init(path: String) throws {
        queue = try StoreDatabase.openForReading(path)
        self.path = path
    }

    /// Reads what a writer of this process has written.
    package init(of writer: StoreWriter) {
        queue = writer.queue
        path = nil
    }

    /// Calls a body with the state of the store at one moment.
    package func read<Result>(_ body: (StoreSnapshot) throws -> Result) throws -> Result {
        do {
            return try queue.read { db in
                let access = StoreAccess(db)
                return try body(StoreSnapshot(access: access, keys: try keys(access)))
            }
        } catch let error as DatabaseError {
            throw StoreDatabase.isDamage(error)
                ? StoreError.corrupt(error.message ?? "")
                : StoreError.unavailable(error.message ?? "\(error)")
        }
    }

    /// All flow keys; those that came since the last time are read.
    private func keys(_ access: StoreAccess) throws -> [StoredKey] {
        try keys.withLock { known in
            try access.keys(from: known.count) { number, json in
                guard number == known.count else { throw StoreError.corrupt("flow key \(known.count) is missing") }
                known.append(try StoredKey(json: json))
            }
            return known
        }
    }
}

/// The store at one moment.
package struct StoreSnapshot {
    let access: StoreAccess
    /// All flow keys, by their numbers.
    package let keys: [StoredKey]

    /// The amount that is stored.
    package struct Extent: Sendable {
        /// Single records.
        package var records: Int
        /// Bytes of the file that are in use.
        package var bytes: Int
        /// After this time there are single records, Unix seconds; nil if there are none.
        package var oldestRecord: Int64?
        /// After this time there are records or sums, Unix seconds; nil if there are none.
        package var oldest: Int64?
        /// Until this time there are records, Unix seconds: the end of the newest minute.
        package var newest: Int64?
        /// Flow keys.
        package var keys: Int
    }

    /// Returns the amount that is stored.
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

    /// The minutes of a range that have records, Unix seconds, ascending.
    package func minutes(after since: Int64, upTo until: Int64) throws -> [Int64] {
        var minutes: [Int64] = []
        for block in try access.blocks(.minute, from: since / 60 * 60, before: until)
        where minutes.last != block.id.start {
            minutes.append(block.id.start)
        }
        return minutes
    }
}
