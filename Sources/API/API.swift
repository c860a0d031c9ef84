import Filter
import FlowModel
import Foundation
package import Query
import Records
package import Store

/// Handles requests to `/api/v1` (docs/api.md) with the data of a store; independent of the server, and safe to call
/// concurrently.
package struct API: Sendable {
    /// The store.
    package let reader: StoreReader
    private let version: String
    private let node: String
    /// The limits of a query's memory and time.
    let limits: QueryLimits
    /// Returns the present policies and their objects.
    let policies: @Sendable () -> KnownPolicies

    /// Creates an API over a store.
    ///
    /// - Parameters:
    ///   - reader: the store.
    ///   - version: the version of the program.
    ///   - node: the name of this host.
    ///   - limits: the limits of a query's memory and time.
    ///   - policies: returns the known policies; called for each request that needs them.
    package init(
        _ reader: StoreReader,
        version: String,
        node: String,
        limits: QueryLimits = QueryLimits(),
        policies: @escaping @Sendable () -> KnownPolicies = { KnownPolicies() }
    ) {
        (self.reader, self.version, self.node) = (reader, version, node)
        (self.limits, self.policies) = (limits, policies)
    }

    /// Handles a request; errors are returned as responses.
    package func answer(_ request: APIRequest) -> APIAnswer {
        Self.answer { try reply(request) }
    }

    static func answer(_ reply: () throws -> APIAnswer) -> APIAnswer {
        do {
            return try reply()
        } catch let error as APIError {
            return Self.answer(error)
        } catch QueryError.invalid(let parameter, let reason) {
            return Self.answer(APIError(400, "bad_parameter", parameter, reason))
        } catch {
            return Self.answer(APIError(503, "unavailable", nil, "\(error)"))
        }
    }

    /// Returns the response for an error.
    package static func answer(_ error: APIError) -> APIAnswer {
        var answer = json(ErrorShape(error: error))
        answer.status = error.status
        return answer
    }

    private func reply(_ request: APIRequest) throws -> APIAnswer {
        switch request.name {
        case "records": return try records(request)
        case "query": return try query(request)
        case "overview": return try overview(request)
        case "graph": return try graph(request)
        case "policies": return try uses(request)
        case "explain": return try explain(request)
        case "findings": return try findings(request)
        case "timeline": return try timeline(request)
        case "status": return try status(request)
        case "fields": return try fields(request)
        case "values": return try values(request)
        case "openapi.json":
            try request.allow(.openAPI)
            return APIAnswer(body: OpenAPI.document(version: version))
        default: throw APIError(404, "not_found", nil, "there is no /api/v1/\(request.name)")
        }
    }

    static func json(_ value: some Encodable) -> APIAnswer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        // The shapes contain only values that can be encoded.
        guard let data = try? encoder.encode(value) else { return APIAnswer(status: 500, body: Array("{}".utf8)) }
        return APIAnswer(body: Array(data))
    }

    // MARK: Ranges

    struct Scope {
        var since: Int64
        var until: Int64
        var filter: Filter
        var shape: RangeShape
        var gaps: [(from: Int64, until: Int64)]
    }

    func scope(_ request: APIRequest, _ snapshot: StoreSnapshot) throws -> Scope {
        let (since, until) = try request.range()
        let extent = try snapshot.extent()
        let gaps = try Self.gaps(snapshot, since, until, extent)
        return Scope(
            since: since,
            until: until,
            filter: try request.filter(),
            shape: RangeShape(
                since: since,
                until: until,
                now: request.now,
                oldest: extent.oldest,
                newest: extent.newest.map { min($0, request.now) },
                gaps: gaps.map { .init(from: $0.from, until: $0.until) }
            ),
            gaps: gaps
        )
    }

    /// Returns the ranges of minutes without records within the recorded time, at most 100.
    private static func gaps(
        _ snapshot: StoreSnapshot,
        _ since: Int64,
        _ until: Int64,
        _ extent: StoreSnapshot.Extent
    ) throws -> [(from: Int64, until: Int64)] {
        guard let oldest = extent.oldestRecord, let newest = extent.newest else { return [] }
        var gaps: [(from: Int64, until: Int64)] = []
        var expected = max(since / 60 * 60, oldest)
        let minutes = try snapshot.minutes(after: since, upTo: until)
        for minute in minutes + [min(until / 60 * 60, newest)] {
            if minute > expected, gaps.count < 100 { gaps.append((expected, minute)) }
            expected = max(expected, minute + 60)
        }
        return gaps
    }

    // MARK: Sums

    private func query(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.query)
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            var query = try QueryText(
                groupBy: request.parameters["group_by"],
                sum: request.parameters["sum"],
                interval: request.parameters["interval"],
                order: request.parameters["order"],
                limit: request.number("limit", of: .query)
            ).query(since: scope.since, until: scope.until, filter: scope.filter)
            query.limits = limits
            let result = try query.run(snapshot)
            return Self.json(
                QueryShape(
                    range: scope.shape,
                    group_by: query.groupBy.map(\.description),
                    sum: query.sums.map(\.description),
                    interval: query.interval,
                    rows: result.groups.map { group in
                        QueryShape.Row(
                            group: group.values,
                            sums: group.sums,
                            points: query.interval == nil
                                ? nil : group.points.map { .init(time: $0.time, sums: $0.sums) },
                            first_seen: group.firstSeen,
                            last_seen: group.lastSeen
                        )
                    },
                    other: .init(groups: result.totalGroups - result.groups.count, sums: result.other),
                    total: .init(groups: result.totalGroups, sums: result.total)
                )
            )
        }
    }

    private func graph(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.graph)
        let by = try request.word("by", of: .graph)
        let limit = try request.number("limit", of: .graph)
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            let totals = try KeyTotals(FlowScan(snapshot, since: scope.since, until: scope.until, filter: scope.filter))
            let graph = FlowGraph(
                totals,
                by: GraphLevel(rawValue: by) ?? .namespace,
                focus: request.parameters["focus"],
                limit: limit
            )
            return Self.json(GraphShape(range: scope.shape, by: by, graph: graph))
        }
    }

    private func uses(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.policies)
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            let totals = try KeyTotals(FlowScan(snapshot, since: scope.since, until: scope.until, filter: scope.filter))
            let known = policies()
            return Self.json(
                PoliciesShape(
                    range: scope.shape,
                    has_inventory: known.rules != nil,
                    can_preview: known.previews != nil,
                    tiers: PolicyUse(totals, known.rules?.catalogue).tiers
                )
            )
        }
    }

    private func findings(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.findings)
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            let totals = try KeyTotals(FlowScan(snapshot, since: scope.since, until: scope.until, filter: scope.filter))
            return Self.json(FindingsShape(range: scope.shape, findings: Finding.all(totals, gaps: scope.gaps)))
        }
    }

    private func overview(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.overview)
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            let interval = QueryText.automaticInterval(scope.until - scope.since)
            let totals = try KeyTotals(
                FlowScan(snapshot, since: scope.since, until: scope.until, filter: scope.filter),
                interval: interval
            )
            let end = min(scope.until, scope.shape.newest ?? scope.until)
            let recent = try KeyTotals(
                FlowScan(snapshot, since: max(scope.since, end - 60), until: end, filter: scope.filter)
            )
            return Self.json(Overview(totals, recent, interval).shape(scope.shape, scope.gaps))
        }
    }

    // MARK: Stored data

    private func status(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.status)
        return try reader.read { snapshot in
            let extent = try snapshot.extent()
            return Self.json(
                StatusShape(
                    version: version,
                    node: node,
                    now: request.now,
                    store: .init(
                        path: reader.path,
                        records: extent.records,
                        bytes: extent.bytes,
                        oldest: extent.oldest,
                        newest: extent.newest,
                        flow_keys: extent.keys
                    )
                )
            )
        }
    }

    private func fields(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.fields)
        return Self.json(
            FieldsShape(
                fields: FlowField.allCases.map { field in
                    let description = field.description
                    return .init(
                        name: description.name,
                        type: description.type.rawValue,
                        unit: description.unit,
                        meaning: description.meaning,
                        is_groupable: GroupName.isGroupable(field)
                    )
                }
            )
        )
    }

    private func values(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.values)
        let limit = try request.number("limit", of: .values)
        guard let text = request.parameters["field"], let name = GroupName(text) else {
            throw APIError(400, "bad_parameter", "field", "the name of a groupable field is needed")
        }
        let prefix = request.parameters["prefix"] ?? ""
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            var query = FlowQuery(
                since: scope.since,
                until: scope.until,
                filter: scope.filter,
                groupBy: [name],
                sums: [Measure(.records)],
                order: nil
            )
            query.limit = .max
            query.limits = limits
            var all = try query.run(snapshot).groups.compactMap { $0.values[0] }
            // Filters compare the elements of a list.
            if name.isList { all = Set(all.flatMap(name.texts)).sorted() }
            all = all.filter { $0.hasPrefix(prefix) }
            return Self.json(
                ValuesShape(field: text, values: Array(all.prefix(limit)), is_complete: all.count <= limit)
            )
        }
    }
}

// MARK: - Single records

extension API {
    private func records(_ request: APIRequest) throws -> APIAnswer {
        if var download = try download(request) {
            var body: [UInt8] = []
            while let part = try download.next() { body += part }
            return APIAnswer(type: download.type, body: body)
        }
        let newestFirst = try request.word("order", of: .records) == "newest"
        let explains = try request.word("explain", of: .records) == "true"
        let limit = try request.number("limit", default: 100, upTo: 10_000)
        let cursor = try request.cursor()
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            let list = try RecordList(
                snapshot,
                since: scope.since,
                until: scope.until,
                filter: scope.filter,
                newestFirst: newestFirst,
                limit: limit,
                cursor: cursor
            )
            // Following pages have no count: it would read the whole range once more for each of them.
            let count = cursor == nil ? try count(snapshot, scope, list) : nil
            return Self.page(list, scope.shape, count, explains)
        }
    }

    /// The number of records in the range that match the filter, and whether all were counted within the time limit.
    private typealias Count = (records: UInt64, isComplete: Bool)

    private func count(_ snapshot: StoreSnapshot, _ scope: Scope, _ list: RecordList) throws -> Count {
        let scan = FlowScan(
            snapshot,
            since: scope.since,
            until: scope.until,
            filter: scope.filter,
            seconds: limits.seconds
        )
        let (counted, isComplete) = try scan.count()
        let seen = UInt64(list.records.count) + (list.hasMore ? 1 : 0)
        return (isComplete ? counted : max(counted, seen), isComplete)
    }

    private static func page(_ list: RecordList, _ range: RangeShape, _ count: Count?, _ explains: Bool) -> APIAnswer {
        var body = Array("{\"range\":".utf8) + json(range).body + Array(",\"records\":[".utf8)
        for (index, one) in list.records.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += RecordObject.bytes(one.record, id: one.id, explains: explains)
        }
        let next = list.hasMore ? list.records.last.map { "\"\($0.id)\"" } ?? "null" : "null"
        let matched = count.map { "\($0.records)" } ?? "null"
        let isComplete = count.map { "\($0.isComplete)" } ?? "null"
        body += Array("],\"next\":\(next),\"matched\":\(matched),\"is_complete\":\(isComplete)}".utf8)
        return APIAnswer(body: body)
    }

    private func explain(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.explain)
        return try reader.read { snapshot in
            let found = try record(request, snapshot)
            guard let (id, record) = found else {
                throw APIError(
                    404,
                    "not_found",
                    request.parameters["id"] == nil ? "filter" : "id",
                    "there is no such record"
                )
            }
            let body =
                Array("{\"record\":".utf8) + RecordObject.bytes(record, id: id, explains: false) + Array(",".utf8)
            var explanation = Explanation(record)
            if let rules = policies().rules { explanation.add(rules.checks(record)) }
            return APIAnswer(body: body + Self.json(explanation).body.dropFirst())
        }
    }

    private func record(_ request: APIRequest, _ snapshot: StoreSnapshot) throws -> (StoredRecordID, ReadRecord)? {
        if let text = request.parameters["id"] {
            guard let id = StoredRecordID(text) else {
                throw APIError(400, "bad_parameter", "id", "this is no id of a record")
            }
            return try snapshot.record(id).map { (id, $0) }
        }
        let scope = try scope(request, snapshot)
        let denied = scope.filter.text.isEmpty ? "action == \"deny\"" : "(\(scope.filter.text)) && action == \"deny\""
        for filter in [try Filter(denied), scope.filter] {
            let list = try RecordList(
                snapshot,
                since: scope.since,
                until: scope.until,
                filter: filter,
                newestFirst: true,
                limit: 1
            )
            if let first = list.records.first { return (first.id, first.record) }
        }
        return nil
    }
}
