/// The content of a server's index or table: flow records, or audit events of API servers.
package enum SchemaContent: String, Sendable, CaseIterable {
    /// Flow records.
    case flows
    /// Audit events.
    case audit

    /// The default retention in days, as in Calico.
    package var retention: Int { self == .flows ? IndexSchema.defaultRetention : 91 }
    /// The default data stream.
    package var index: String { self == .flows ? IndexSchema.defaultIndex : IndexSchema.defaultAuditIndex }
    /// The default ClickHouse table.
    package var table: String { self == .flows ? "default.flows" : ColumnSchema.defaultAuditTable }
}

extension IndexSchema {
    /// The default data stream of audit events.
    package static let defaultAuditIndex = "calico_auditlogs_standard"

    /// The types of the queried members of audit events.
    ///
    /// Objects and annotations are stored but not indexed, because the number of their members is unlimited.
    static var auditMappings: [String: Any] {
        let keyword = ["type": "keyword", "ignore_above": 1024] as [String: Any]
        let unindexed = ["type": "object", "enabled": false] as [String: Any]
        let user = ["properties": ["username": keyword, "uid": keyword, "groups": keyword, "extra": unindexed]]
        let target = [
            "resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource",
        ]
        let status: [String: Any] = [
            "code": ["type": "long"], "status": keyword, "reason": keyword, "message": ["type": "text"],
            "metadata": unindexed, "details": unindexed,
        ]
        var properties: [String: Any] = [
            "user": user, "impersonatedUser": user, "sourceIPs": ["type": "ip"],
            "objectRef": ["properties": Dictionary(uniqueKeysWithValues: target.map { ($0, keyword) })],
            "responseStatus": ["properties": status], "requestObject": unindexed, "responseObject": unindexed,
            "annotations": unindexed, "authenticationMetadata": unindexed,
        ]
        for name in ["@timestamp", "requestReceivedTimestamp", "stageTimestamp"] { properties[name] = ["type": "date"] }
        for name in [
            "kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "userAgent", "host", "cluster",
        ] {
            properties[name] = keyword
        }
        return ["dynamic": false, "properties": properties]
    }
}

extension ColumnSchema {
    /// The default table of audit events.
    package static let defaultAuditTable = "default.audit"

    /// Returns the statements that create the table of audit events.
    ///
    /// Objects are stored as JSON text; the members that are queried most have their own columns.
    ///
    /// - Parameters:
    ///   - table: the table, with its database.
    ///   - days: the retention time of events in days.
    ///   - cluster: the cluster on which replicated tables, and one table over all shards, are created; nil for a single
    ///     server.
    /// - Returns: the statements, in the order of their execution.
    package static func auditStatements(table: String, days: Int, cluster: String? = nil) -> [String] {
        guard let cluster else { return [audit(table, "", "MergeTree", days)] }
        let place = " ON CLUSTER '\(cluster)'"
        let (local, path) = ("\(table)_local", "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'")
        let whole = table.split(separator: ".")
        let (database, name) = whole.count == 2 ? ("\(whole[0])", "\(whole[1])") : ("currentDatabase()", table)
        return [
            audit(local, place, "ReplicatedMergeTree(\(path))", days),
            "CREATE TABLE IF NOT EXISTS \(table)\(place) AS \(local)\n"
                + "ENGINE = Distributed('\(cluster)', \(database), \(name)_local, cityHash64(auditID));",
        ]
    }

    private static func audit(_ table: String, _ place: String, _ engine: String, _ days: Int) -> String {
        let words = ["kind", "apiVersion", "level", "stage", "verb", "host", "cluster"]
        let texts = ["auditID", "requestURI", "userAgent"]
        let objects = [
            "user", "impersonatedUser", "authenticationMetadata", "objectRef", "responseStatus", "requestObject",
            "responseObject", "annotations",
        ]
        let times = ["requestReceivedTimestamp", "stageTimestamp", "`@timestamp`"]
        let parts = [
            ("username", "user", "username"), ("resource", "objectRef", "resource"),
            ("namespace", "objectRef", "namespace"), ("name", "objectRef", "name"),
        ]
        let columns =
            words.map { "    \($0) LowCardinality(String)" } + texts.map { "    \($0) String CODEC(ZSTD(1))" }
            + objects.map { "    \($0) String CODEC(ZSTD(3))" } + ["    sourceIPs Array(String)"]
            + times.map { "    \($0) DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1))" }
            + parts.map { "    \($0.0) String MATERIALIZED JSONExtractString(\($0.1), '\($0.2)')" }
            + ["    code UInt16 MATERIALIZED JSONExtractUInt(responseStatus, 'code')"]
        let window = engine.hasPrefix("Replicated") ? "" : "\nSETTINGS non_replicated_deduplication_window = 1000"
        return """
            CREATE TABLE IF NOT EXISTS \(table)\(place)
            (
            \(columns.joined(separator: ",\n"))
            )
            ENGINE = \(engine)
            PARTITION BY toYYYYMM(`@timestamp`)
            ORDER BY (resource, namespace, name, `@timestamp`)
            TTL toDateTime(`@timestamp`) + INTERVAL \(days) DAY\(window);
            """
    }
}
