import FlowModel
import GRDB

/// The tables of the store; `docs/store.md` documents them for users.
enum StoreSchema {
    /// The version of the tables (`PRAGMA user_version`).
    static let version = 3
    /// The identifier of Weir's files (`PRAGMA application_id`): "weir" in ASCII.
    static let applicationID = 0x7765_6972

    /// Returns the configuration of connections.
    static func configuration(isReadOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = isReadOnly
        configuration.busyMode = .timeout(5)
        configuration.label = "weir-store"
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA cache_size = -16000")
            guard !isReadOnly else { return }
            // Only the writer checkpoints: readers open the file read-only.
            try db.execute(sql: "PRAGMA page_size = 8192")
            try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA journal_size_limit = 16777216")
        }
        return configuration
    }

    /// The kind of a database file.
    enum Kind {
        case empty, ours, foreign
    }

    /// Determines the kind of a database file.
    static func kind(_ db: Database) throws -> Kind {
        let id = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        if id == applicationID { return .ours }
        let objects = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        return objects == 0 && id == 0 ? .empty : .foreign
    }

    /// Creates the tables of an empty file, and migrates tables of older versions; the first version is 1.
    static func prepare(_ db: Database) throws {
        if try kind(db) == .empty { try create(db) }
        try check(db)
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if found < 2 { try addChanges(db) }
        if found < 3 { try addKeyState(db) }
        try addCounters(db)
    }

    /// Checks that the version of the tables is supported.
    ///
    /// - Throws: `StoreError.newer`, or `StoreError.corrupt` for a version that Weir has never written.
    static func check(_ db: Database) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found <= version else { throw StoreError.newer(version: found) }
        guard found >= 1 else { throw StoreError.corrupt("its version is \(found), and the first one is 1") }
    }

    private static func create(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE flow_key(id INTEGER PRIMARY KEY, fields TEXT NOT NULL);
                CREATE TABLE block(id INTEGER PRIMARY KEY, span_seconds INTEGER NOT NULL, start INTEGER NOT NULL,
                    rows INTEGER NOT NULL, records INTEGER NOT NULL);
                CREATE TABLE col(id INTEGER PRIMARY KEY, packed BLOB NOT NULL);
                CREATE TABLE counter(col INTEGER PRIMARY KEY, field TEXT NOT NULL);
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = 1;
                """
        )
    }

    /// Adds the names of counters that an earlier version does not have; new counters need no new version of the tables.
    private static func addCounters(_ db: Database) throws {
        for (index, field) in StoreFields.counters.enumerated() {
            try db.execute(
                sql: "INSERT OR IGNORE INTO counter(col, field) VALUES (?, ?)",
                arguments: [StoreColumn.counters + index, field.description.name]
            )
        }
    }

    /// Migrates version 2 to 3, which deletes unused flow keys and gives their numbers to new ones.
    private static func addKeyState(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS key_state(sweeps INTEGER NOT NULL, next INTEGER NOT NULL,
                    keys INTEGER NOT NULL);
                DELETE FROM key_state;
                INSERT INTO key_state SELECT 0, keys, keys
                    FROM (SELECT coalesce(max(id), -1) + 1 AS keys FROM flow_key);
                PRAGMA user_version = 3;
                """
        )
    }

    /// Migrates version 1 to 2, which adds changes of the cluster.
    private static func addChanges(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE change(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, role TEXT NOT NULL,
                    key TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, fields TEXT NOT NULL, verdicts TEXT);
                CREATE INDEX change_time ON change(time, bytes);
                CREATE INDEX change_role ON change(role, time);
                PRAGMA user_version = 2;
                """
        )
    }
}
