import FlowModel
import FoundationEssentials
import GRDB
import Glibc
package import Records

/// A query for changes.
package struct ChangeQuery: Sendable {
    /// Changes at this time or later, Unix time in µs.
    package var since: Int64
    /// Changes before this time.
    package var until: Int64
    /// The role of the changes; nil for all.
    package var role: ChangeRecord.Role?
    /// The maximum number of changes; the newest are returned.
    package var limit: Int

    /// Takes all members.
    package init(
        since: Int64 = .min,
        until: Int64 = .max,
        role: ChangeRecord.Role? = nil,
        limit: Int = 1_000_000
    ) {
        (self.since, self.until, self.role, self.limit) = (since, until, role, limit)
    }
}

extension StoreSnapshot {
    /// Returns the changes of a range, newest first; none if an older version wrote the store.
    ///
    /// - Parameter query: the query.
    /// - Returns: the changes, with the verdicts that they affected.
    /// - Throws: `StoreError` if a change cannot be read.
    package func changes(_ query: ChangeQuery) throws -> [ChangeRecord] { try access.changes(query) }
}

/// Writes changes, and deletes changes beyond the limits of age and size.
struct ChangeTable {
    /// The size of all changes in bytes; nil if it is not known yet.
    private var bytes: Int?
    /// The time of the next deletion of expired changes, Unix seconds.
    private var nextExpiry: Int64 = 0
    /// Whether there may be changes without a request (basis `seen`); nil if that is not known yet.
    private var hasSeen: Bool?
    /// The time between two deletions of expired changes, seconds.
    private static let expiryPause: Int64 = 10
    /// The maximum size of a change in bytes; further differences are left out.
    static let longest = 64 << 10
    /// The maximum number of stored names of a request's objects.
    static let mostNames = 100

    /// Writes changes; existing ones are not changed.
    mutating func add(_ changes: [ChangeRecord], _ access: StoreAccess, _ limits: StoreLimits) throws {
        var used = try bytes ?? access.changeBytes()
        hasSeen = try hasSeen ?? access.hasSeenChanges()
        let insertion = try access.insertion()
        for change in changes {
            let added = try access.add(change, Self.boundedText(change), by: insertion)
            guard added > 0 else { continue }
            used += added
            if change.basis == "seen" { hasSeen = true }
            if hasSeen == true { used -= try access.replaceSeen(by: change) }
        }
        let now = Int64(time(nil))
        if now >= nextExpiry || now < nextExpiry - Self.expiryPause {
            used -= try access.deleteChanges(before: (now - min(limits.changeAge, 1 << 40)) * 1_000_000)
            nextExpiry = now + Self.expiryPause
        }
        while used > limits.changeBytes {
            let freed = try access.deleteOldestChanges(100)
            guard freed > 0 else { break }
            used -= freed
        }
        bytes = used
    }

    /// Discards the cached state after a failed transaction.
    mutating func reset() { (bytes, nextExpiry, hasSeen) = (nil, 0, nil) }

    /// Returns the JSON text of a change, without parts that exceed the maximum size of a row.
    private static func boundedText(_ change: ChangeRecord) -> String {
        if change.names?.count ?? 0 <= mostNames {
            let text = change.json
            if text.utf8.count <= longest { return text }
        }
        var change = change
        if let names = change.names, names.count > mostNames { change.names = Array(names.prefix(mostNames)) }
        while true {
            let text = change.json
            guard text.utf8.count > longest, change.state != nil || !change.changes.isEmpty else { return text }
            if change.state != nil {
                change.state = nil
                continue
            }
            let kept = change.changes.count / 2
            change.moreChanges = (change.moreChanges ?? 0) + change.changes.count - kept
            change.changes = Array(change.changes.prefix(kept))
        }
    }
}

extension StoreLimits {
    /// The maximum size of all changes in bytes: an eighth of the store.
    var changeBytes: Int { bytes == .max ? .max : bytes / 8 }
}

extension StoreAccess {
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Returns the key of a request.
    static func key(auditID: String, receivedAt: Double?) -> String { "\(receivedAt ?? 0) \(auditID)" }

    /// The statement that adds a change.
    func insertion() throws -> Statement {
        try db.cachedStatement(
            sql: "INSERT OR IGNORE INTO change(time, role, key, bytes, fields) VALUES (?, ?, ?, ?, ?)"
        )
    }

    /// Adds a change.
    ///
    /// - Returns: its size in bytes; 0 if the store already contained it.
    func add(_ change: ChangeRecord, _ json: String, by insertion: Statement) throws -> Int {
        try insertion.execute(
            arguments: [
                ChangeRecord.microseconds(change.time), (change.role ?? .other).rawValue,
                Self.key(auditID: change.auditID, receivedAt: change.receivedAt), json.utf8.count, json,
            ]
        )
        return db.changesCount > 0 ? json.utf8.count : 0
    }

    /// Deletes the changes without a request (basis `seen`) that a change with its request replaces, and keeps their verdicts.
    ///
    /// - Returns: the size of the deleted changes in bytes.
    func replaceSeen(by change: ChangeRecord) throws -> Int {
        guard change.outcome == "done", change.basis != "seen" else { return 0 }
        return try seen(change).reduce(0) { freed, seen in
            try db.cachedStatement(sql: "UPDATE change SET verdicts = coalesce(verdicts, ?) WHERE key = ?")
                .execute(arguments: [seen.verdicts, Self.key(auditID: change.auditID, receivedAt: change.receivedAt)])
            try db.cachedStatement(sql: "DELETE FROM change WHERE id = ?").execute(arguments: [seen.id])
            return freed + seen.bytes
        }
    }

    /// Returns the rows that a change replaces: the row of its version, or for each deletion the row that is nearest in time.
    private func seen(_ change: ChangeRecord) throws -> [(id: Int64, bytes: Int, verdicts: String?)] {
        let time = ChangeRecord.microseconds(change.time)
        if !change.deleted.isEmpty {
            let place: StatementArguments = [time - Self.seenLater, time + Self.seenLater]
            return try change.deleted.prefix(ChangeTable.mostNames).compactMap { name in
                try seen(Self.deletedNearby, place, change, name, at: time)
            }
        }
        guard let version = change.resourceVersion, let name = change.name else { return [] }
        let key = Self.key(auditID: "resourceVersion=\(version)", receivedAt: nil)
        return try seen("key = ?", [key], change, name, at: time).map { [$0] } ?? []
    }

    private func seen(
        _ condition: String,
        _ place: StatementArguments,
        _ change: ChangeRecord,
        _ name: String,
        at time: Int64
    ) throws -> (id: Int64, bytes: Int, verdicts: String?)? {
        try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT id, bytes, verdicts FROM change WHERE \(condition)
                        AND json_extract(fields, '$.basis') = 'seen' AND json_extract(fields, '$.resource') = ?
                        AND json_extract(fields, '$.name') = ? AND json_extract(fields, '$.namespace') IS ?
                        AND \(Self.group("coalesce(json_extract(fields, '$.group'), '')")) = \(Self.group("?"))
                    ORDER BY abs(time - ?) LIMIT 1
                    """
            ),
            arguments: place + [change.resource, name, change.namespace, change.group ?? "", time]
        )
        .map { ($0[0], $0[1], $0[2]) }
    }

    /// The condition for deletions without a request near a time.
    ///
    /// It selects by key and not by the index of times, because few rows have such a key.
    private static let deletedNearby = "+time BETWEEN ? AND ? AND \(keys(from: "0.0 deleted after "))"

    /// Whether there are changes without a request, which have no time of reception.
    func hasSeenChanges() throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT EXISTS(SELECT 1 FROM change WHERE \(Self.keys(from: "0.0 ")))") ?? false
    }

    /// Returns a condition for keys with a prefix that ends in a space: a range of the index.
    private static func keys(from beginning: String) -> String {
        "key >= '\(beginning)' AND key < '\(beginning.dropLast())!'"
    }

    /// Returns an expression for an API group that unifies both groups of Calico's objects.
    private static func group(_ expression: String) -> String {
        "replace(\(expression), 'crd.projectcalico', 'projectcalico')"
    }

    /// The maximum difference between the times of a deletion and of its observation, µs.
    private static let seenLater: Int64 = 60_000_000

    /// Sets the verdicts that a change affected.
    func set(verdicts: [VerdictChange], auditID: String, receivedAt: Double?) throws {
        try db.cachedStatement(sql: "UPDATE change SET verdicts = ? WHERE key = ?")
            .execute(arguments: [try Self.json(verdicts), Self.key(auditID: auditID, receivedAt: receivedAt)])
    }

    func changeBytes() throws -> Int {
        try Int.fetchOne(db.cachedStatement(sql: "SELECT coalesce(sum(bytes), 0) FROM change")) ?? 0
    }

    /// Deletes changes before a time.
    ///
    /// - Returns: their size in bytes.
    func deleteChanges(before time: Int64) throws -> Int {
        let freed = try Int.fetchOne(
            db.cachedStatement(sql: "SELECT coalesce(sum(bytes), 0) FROM change WHERE time < ?"),
            arguments: [time]
        )
        try db.cachedStatement(sql: "DELETE FROM change WHERE time < ?").execute(arguments: [time])
        return freed ?? 0
    }

    /// Deletes the oldest changes.
    ///
    /// - Returns: their size in bytes; 0 if there was none.
    func deleteOldestChanges(_ count: Int) throws -> Int {
        let last = try Int64.fetchOne(
            db.cachedStatement(
                sql: "SELECT max(time) FROM (SELECT time FROM change ORDER BY time LIMIT ?)"
            ),
            arguments: [count]
        )
        return try last.map { try deleteChanges(before: $0 + 1) } ?? 0
    }

    func changes(_ query: ChangeQuery) throws -> [ChangeRecord] {
        guard try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 >= 2 else { return [] }
        let role = query.role?.rawValue
        let cursor = try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT fields, verdicts FROM change
                    WHERE time >= ? AND time < ?\(role == nil ? "" : " AND role = ?") ORDER BY time DESC, id DESC LIMIT ?
                    """
            ),
            arguments: StatementArguments([query.since, query.until]) + (role.map { [$0] } ?? []) + [query.limit]
        )
        var changes: [ChangeRecord] = []
        let decoder = JSONDecoder()
        while let row = try cursor.next() {
            let (fields, verdicts): (String, String?) = (row[0], row[1])
            guard var change = try? decoder.decode(ChangeRecord.self, from: Data(fields.utf8)) else {
                throw StoreError.corrupt("a change is no JSON object of one")
            }
            if let verdicts {
                guard let list = try? decoder.decode([VerdictChange].self, from: Data(verdicts.utf8)) else {
                    throw StoreError.corrupt("the verdicts of a change are no list of them")
                }
                change.verdictsChanged = list
            }
            changes.append(change)
        }
        return changes
    }
}
