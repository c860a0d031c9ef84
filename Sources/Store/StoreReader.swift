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
        let keys = Mutex(Keys())

        init(_ queue: any DatabaseReader, _ file: FileIdentity?) {
            (self.queue, self.file) = (queue, file)
        }
    }

    /// The flow keys that were read, and the state of their numbers then.
    private struct Keys {
        var byNumber: [StoredKey] = []
        var state: KeyState?
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
                let keys = try keys(access, source)
                return try body(StoreSnapshot(access: access, keys: keys.byNumber, keyCount: keys.count))
            }
        } catch let error as DatabaseError {
            throw StoreDatabase.isDamage(error)
                ? StoreError.corrupt(error.message ?? "")
                : StoreError.unavailable(error.message ?? "\(error)")
        }
    }

    /// Returns all flow keys by their numbers; reads only those that were added since the last call.
    ///
    /// After unused keys were deleted, all are read: a number may have another key.
    private func keys(_ access: StoreAccess, _ source: Source) throws -> (byNumber: [StoredKey], count: Int) {
        let state = try access.keyState()
        return try source.keys.withLock { known in
            if known.state == state { return (known.byNumber, state.count) }
            if known.state?.sweeps != state.sweeps { known = Keys() }
            var (keys, count) = (known.byNumber, known.state?.count ?? 0)
            let range = known.state.map { $0.next..<max($0.next, state.next) } ?? 0..<Int.max
            // If a key cannot be read, the next call begins anew.
            known = Keys()
            try access.keys(from: range.lowerBound, before: range.upperBound) { number, json in
                guard 0..<KeyTable.numberLimit ~= number else {
                    throw StoreError.corrupt("flow key \(number) has no such number")
                }
                while keys.count <= number { keys.append(.none) }
                // Numbers between those that were given out may have older keys, which are known.
                guard keys[number].isNone else { return }
                keys[number] = try StoredKey(json: json)
                count += 1
            }
            guard count == state.count else {
                throw StoreError.corrupt("there are \(count) of \(state.count) flow keys")
            }
            known = Keys(byNumber: keys, state: state)
            return (keys, count)
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
    /// All flow keys, by their numbers; a number without one has ``StoredKey/none``.
    package let keys: [StoredKey]
    /// The number of flow keys.
    let keyCount: Int

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
            keys: keyCount
        )
    }

    /// Throws if the flow key of a row is missing.
    func checkKeys(of rows: BlockRows) throws {
        var last: Int32 = -1
        for key in rows.keys where key != last {
            guard Int(key) < keys.count, !keys[Int(key)].isNone else {
                throw StoreError.corrupt("a record has no flow key")
            }
            last = key
        }
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
