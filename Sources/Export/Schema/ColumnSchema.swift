import FlowModel

/// The objects that records need in ClickHouse: a table with a column for each field, and a roll-up by minutes.
package enum ColumnSchema {
    /// Returns the statements that create the objects, and add the columns that existing tables do not have.
    ///
    /// - Parameters:
    ///   - table: the table, with its database.
    ///   - days: the retention time of records in days.
    ///   - cluster: the cluster on which replicated tables, and one table over all shards, are created; nil for a single
    ///     server.
    /// - Returns: the statements, in the order of their execution.
    package static func statements(table: String = "default.flows", days: Int = 8, cluster: String? = nil) -> [String] {
        guard let cluster else { return objects(table, "", days) { $0 } }
        let place = " ON CLUSTER '\(cluster)'"
        let (local, path) = ("\(table)_local", "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'")
        let whole = table.split(separator: ".")
        let (database, name) = whole.count == 2 ? ("\(whole[0])", "\(whole[1])") : ("currentDatabase()", table)
        return objects(local, place, days) { "Replicated\($0)(\(path))" } + [
            "CREATE TABLE IF NOT EXISTS \(table)\(place) AS \(local)\n"
                + "ENGINE = Distributed('\(cluster)', \(database), \(name)_local, cityHash64(host));",
            additions(to: table, place, recordColumns),
        ]
    }

    /// Returns the statements for a table of records, its roll-up, and the view that fills the roll-up.
    private static func objects(
        _ table: String,
        _ place: String,
        _ days: Int,
        engine: (String) -> String
    ) -> [String] {
        [
            records(table, place, engine("MergeTree"), days), additions(to: table, place, recordColumns),
            rollUp(table, place, engine("SummingMergeTree"), days),
            additions(to: "\(table)_minutes", place, sumColumns), view(table, place),
        ]
    }

    /// Returns the statement that adds the columns that a table of an earlier version does not have.
    private static func additions(to table: String, _ place: String, _ columns: [String]) -> String {
        let lines = columns.map { "    ADD COLUMN IF NOT EXISTS \($0)" }
        return "ALTER TABLE \(table)\(place)\n\(lines.joined(separator: ",\n"));"
    }

    private static var recordColumns: [String] {
        FlowField.allCases.map { "\($0.description.name) \(type(of: $0))" } + [
            "host LowCardinality(String)", "`@timestamp` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))",
        ]
    }

    private static func records(_ table: String, _ place: String, _ engine: String, _ days: Int) -> String {
        """
        CREATE TABLE IF NOT EXISTS \(table)\(place)
        (
        \(recordColumns.map { "    \($0)" }.joined(separator: ",\n"))
        )
        ENGINE = \(engine)
        PARTITION BY toDate(end_time)
        ORDER BY (source_namespace, dest_namespace, source_name_aggr, dest_name_aggr, end_time)
        TTL toDateTime(end_time) + INTERVAL \(days) DAY\(window(engine).map { "\nSETTINGS \($0)" } ?? "");
        """
    }

    /// Returns the setting by which a single server recognizes repeated inserts.
    private static func window(_ engine: String) -> String? {
        engine.hasPrefix("Replicated") ? nil : "non_replicated_deduplication_window = 1000"
    }

    private static let keys: [(name: String, type: String)] = [
        ("source_namespace", "LowCardinality(String)"), ("source_name_aggr", "LowCardinality(String)"),
        ("source_type", "LowCardinality(String)"), ("dest_namespace", "LowCardinality(String)"),
        ("dest_name_aggr", "LowCardinality(String)"), ("dest_type", "LowCardinality(String)"),
        ("dest_service_namespace", "LowCardinality(String)"), ("dest_service_name", "LowCardinality(String)"),
        ("dest_port", "Nullable(UInt16)"), ("proto", "LowCardinality(String)"), ("action", "LowCardinality(String)"),
        ("reporter", "LowCardinality(String)"), ("host", "LowCardinality(String)"),
    ]

    private static let sums: [FlowField] = [
        .bytesIn, .bytesOut, .packetsIn, .packetsOut, .numFlowsStarted, .numFlowsCompleted, .transitBytesIn,
        .transitBytesOut, .transitPacketsIn, .transitPacketsOut,
    ]

    private static var sumColumns: [String] { sums.map { "\($0.description.name) UInt64" } }

    private static func rollUp(_ table: String, _ place: String, _ engine: String, _ days: Int) -> String {
        let columns =
            ["    minute DateTime('UTC')"] + keys.map { "    \($0.name) \($0.type)" }
            + sumColumns.map { "    \($0)" }
        return """
            CREATE TABLE IF NOT EXISTS \(table)_minutes\(place)
            (
            \(columns.joined(separator: ",\n"))
            )
            ENGINE = \(engine)
            PARTITION BY toYYYYMM(minute)
            ORDER BY (minute, \(keys.map(\.name).joined(separator: ", ")))
            TTL minute + INTERVAL \(days * 12) DAY
            SETTINGS allow_nullable_key = 1\(window(engine).map { ", \($0)" } ?? "");
            """
    }

    private static func view(_ table: String, _ place: String) -> String {
        let names = keys.map(\.name).joined(separator: ", ")
        let totals = sums.map { "sum(r.\($0.description.name)) AS \($0.description.name)" }
        return """
            CREATE MATERIALIZED VIEW IF NOT EXISTS \(table)_to_minutes\(place) TO \(table)_minutes AS
            SELECT toStartOfMinute(r.end_time) AS minute, \(names), \(totals.joined(separator: ", "))
            FROM \(table) AS r
            GROUP BY minute, \(names);
            """
    }

    private static func type(of field: FlowField) -> String {
        switch field {
        case .startTime, .endTime: return "DateTime('UTC') CODEC(DoubleDelta, ZSTD(1))"
        default: break
        }
        switch field.description.type {
        case .integer: return "UInt64 CODEC(T64, ZSTD(1))"
        case .port: return "Nullable(UInt16)"
        case .integers: return "Array(UInt16)"
        case .string:
            // The default is the value for a record without the field, so that groups and filters match it.
            let value = "DEFAULT '\(field.description.emptyJSON.dropFirst().dropLast())'"
            return field == .sourceName || field == .destName
                ? "String \(value) CODEC(ZSTD(1))" : "LowCardinality(String) \(value)"
        case .name: return "LowCardinality(Nullable(String))"
        case .address: return "Nullable(IPv6)"
        case .addresses: return "Array(IPv6)"
        case .strings: return "Array(String)"
        case .labels: return "Tuple(labels Array(LowCardinality(String)))"
        case .policies:
            let lists = ["enforced_policies", "pending_policies", "transit_policies"]
            return "Tuple(\(lists.map { "\($0) Array(LowCardinality(String))" }.joined(separator: ", ")))"
        }
    }
}
