package import FlowModel
import GRDB
import Glibc
package import Records

/// The limits of the store.
package struct StoreLimits: Sendable {
    /// The maximum number of used bytes of the file; the oldest data is deleted first, records before sums.
    package var bytes = 1 << 30
    /// The maximum number of flow keys; records of further ones are stored with a key of empty values.
    package var keys = 500_000
    /// The retention time of single records, seconds.
    package var recordAge: Int64 = 7 * 86_400
    /// The retention time of five-minute sums, seconds.
    package var fiveMinuteAge: Int64 = 60 * 86_400
    /// The retention time of hourly sums, seconds.
    package var hourAge: Int64 = 2 * 366 * 86_400
    /// The retention time of cluster changes, seconds.
    package var changeAge: Int64 = 91 * 86_400

    /// The defaults.
    package init() {}

    /// No limits: nothing is deleted.
    package static let none: StoreLimits = {
        var limits = StoreLimits()
        limits.bytes = .max
        (limits.recordAge, limits.fiveMinuteAge, limits.hourAge) = (.max / 2, .max / 2, .max / 2)
        limits.changeAge = .max / 2
        return limits
    }()
}

/// The outcome of records that were given to the store.
package struct StoreStatistics: Sendable, Hashable {
    /// Records that are stored.
    package var stored = 0
    /// Lines that are not records.
    package var unreadable = 0
    /// Records that are older than the retention time.
    package var tooOld = 0
    /// Records that could not be written.
    package var failed = 0
    /// Records whose flow key was not stored because there are too many.
    package var withoutKey = 0

    /// Creates an empty value.
    package init() {}
}

/// Writes records, given as lines, into blocks of the store; used by one thread at a time.
package final class StoreWriter {
    /// The outcome of records so far.
    package private(set) var statistics = StoreStatistics()
    /// The path to which an unusable file was moved, at the start or since.
    package private(set) var setAside: String?
    /// The database queue, which readers of this process use for a store in memory.
    private(set) var queue: DatabaseQueue
    /// The path of the file; nil in memory.
    private let path: String?
    /// Whether ``queue`` is that of a file that was set aside, because no new one could be created yet.
    private var isWithoutFile = false
    private let lock: Int32
    private let limits: StoreLimits
    private var splitter = RecordSplitter()
    private var keys = KeyTable()
    private var pending: [Int64: BlockRows] = [:]
    private var pendingRows = 0
    /// The blocks of minutes to join, and the buckets to sum.
    private var maintenance = StoreMaintenance()
    private var changes = ChangeTable()

    /// The maximum number of rows before they are written.
    private static let batchRows = 200_000

    /// Opens the store at a path, and creates it if necessary.
    ///
    /// - Throws: `StoreError` if that fails.
    package convenience init(path: String, limits: StoreLimits = StoreLimits()) throws {
        let (queue, lock, setAside) = try StoreDatabase.openForWriting(path)
        try self.init(queue, path, lock: lock, limits, setAside: setAside)
    }

    /// Creates a store in memory.
    package static func inMemory(_ limits: StoreLimits = .none) throws -> StoreWriter {
        try StoreWriter(StoreDatabase.inMemory(), nil, lock: -1, limits, setAside: nil)
    }

    private init(_ queue: DatabaseQueue, _ path: String?, lock: Int32, _ limits: StoreLimits, setAside: String?) throws
    {
        (self.queue, self.path, self.lock, self.limits, self.setAside) = (queue, path, lock, limits, setAside)
        try queue.read { db in
            let access = StoreAccess(db)
            keys = try KeyTable(access)
            try maintenance.begin(access)
        }
    }

    deinit {
        if lock >= 0 { close(lock) }
    }

    /// Takes complete lines; writes all taken records once there are many.
    package func take(_ lines: [UInt8]) {
        var start = 0
        while start < lines.count {
            let end = Self.newline(in: lines, from: start)
            if end > start { take(lines, start..<end) }
            start = end + 1
        }
    }

    /// Takes one line.
    package func take(_ bytes: [UInt8], _ range: Range<Int>) {
        do throws(Records.RecordError) {
            try splitter.split(bytes, range)
        } catch {
            statistics.unreadable += 1
            return
        }
        let start = BlockID.start(of: splitter.end, .minute)
        let present = maintenance.present
        guard start >= max(present - min(limits.recordAge, present), maintenance.floor) else {
            statistics.tooOld += 1
            return
        }
        pending[start, default: BlockRows()].append(
            key: splitter.keyNumber ?? keyNumber(bytes, range),
            start: splitter.start,
            end: splitter.end,
            counters: splitter.counters,
            detail: splitter.detail
        )
        pendingRows += 1
        if pendingRows >= Self.batchRows { commit() }
    }

    /// Writes the taken records in one transaction: all of them are stored, or none.
    ///
    /// - Returns: the error if they could not be written; the records are then discarded and counted as failed.
    @discardableResult
    package func commit() -> StoreError? {
        guard pendingRows > 0 else { return nil }
        defer { (pending, pendingRows) = ([:], 0) }
        var swept: KeyTable?
        let failure = inTransaction { access in
            swept = nil
            try keys.write(access)
            try maintenance.add(pending, access)
            try maintenance.finish(access)
            try maintenance.expire(access, limits)
            if maintenance.hasDeleted, keys.isSweepDue(at: maintenance.present, limits) {
                swept = try keys.swept(access, at: maintenance.present, limits)
                maintenance.noteSweep()
            }
            try maintenance.limit(access, limits)
        }
        guard failure == nil else {
            statistics.failed += pendingRows
            return failure
        }
        statistics.stored += pendingRows
        if let swept {
            keys = swept
            // Their meanings have the numbers of keys that are deleted.
            splitter.forgetLines()
        } else {
            keys.noteWritten()
        }
        return nil
    }

    /// Calls a body in one transaction; sets a file aside that turns out to be damaged, and calls it again with a new file.
    ///
    /// - Returns: the error if nothing was written.
    private func inTransaction(_ body: (StoreAccess) throws -> Void) -> StoreError? {
        do {
            do {
                try attempt(body)
            } catch let error where path != nil && StoreDatabase.isDamage(error) {
                try setFileAside()
                try attempt(body)
            }
            return nil
        } catch {
            return error as? StoreError ?? .unavailable("\(error)")
        }
    }

    private func attempt(_ body: (StoreAccess) throws -> Void) throws {
        if isWithoutFile, let path {
            queue = try StoreDatabase.create(path)
            isWithoutFile = false
        }
        let before = maintenance
        do {
            try queue.write { try body(StoreAccess($0)) }
        } catch {
            maintenance = before
            changes.reset()
            throw error
        }
    }

    /// Renames the damaged file; the flow keys of records that are not written yet are those of the next one.
    private func setFileAside() throws {
        guard let path else { return }
        setAside = try StoreDatabase.setAside(path)
        isWithoutFile = true
        try? queue.close()
        (maintenance, changes) = (StoreMaintenance(), ChangeTable())
        let key = keys.bytesByNumber()
        keys = KeyTable()
        splitter.forgetLines()
        for minute in pending.keys {
            // The old table was within the limits, so there is always a number.
            pending[minute]?.renumberKeys { keys.number(of: key($0), limit: .max) ?? 0 }
        }
    }

    /// Writes cluster changes in one transaction; existing changes are not modified.
    ///
    /// - Parameter added: the changes.
    /// - Returns: the error if they could not be written.
    package func add(_ added: [ChangeRecord]) -> StoreError? {
        inTransaction { try changes.add(added, $0, limits) }
    }

    /// Sets the verdicts that a change changed; no effect if the change is not stored.
    ///
    /// - Parameters:
    ///   - verdicts: all verdicts, including those that were set before.
    ///   - auditID: the audit ID of the change's request.
    ///   - receivedAt: the time of reception, as in the change's record.
    /// - Returns: the error if they could not be written.
    package func set(_ verdicts: [VerdictChange], auditID: String, receivedAt: Double?) -> StoreError? {
        inTransaction { try $0.set(verdicts: verdicts, auditID: auditID, receivedAt: receivedAt) }
    }

    /// Executes SQL on the writer's connection, for tests and maintenance tools.
    package func execute(_ sql: String) throws {
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    private func keyNumber(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
        if let known = keys.number(of: splitter.key, limits) {
            splitter.remember(known, bytes, range)
            return known
        }
        statistics.withoutKey += 1
        // All such records share one key, which is created on first use.
        return keys.number(of: KeyTable.common, limit: .max) ?? 0
    }

    private static func newline(in lines: [UInt8], from start: Int) -> Int {
        lines.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let end = memchr(base + start, 0x0a, bytes.count - start) else {
                return bytes.count
            }
            return UnsafeRawPointer(end) - base
        }
    }
}
