import FlowModel
import Query
import Records

// The JSON objects of docs/api.md; the members have the same names.

/// A range of time and its recorded extent.
struct RangeShape: Encodable {
    struct Gap: Encodable {
        var from: Int64
        var until: Int64
    }

    var since: Int64
    var until: Int64
    var now: Int64
    var oldest: Int64?
    var newest: Int64?
    var gaps: [Gap]
}

/// A pair of a source and a port of a destination.
struct PairShape: Encodable {
    var source: FlowNode
    var dest: FlowNode
    var dest_port: UInt64?
    var proto: String
    var dest_service_namespace: String?
    var dest_service_name: String?
    var allowed: Amount
    var denied: Amount
    var pending: PendingChange
    var rule: String?
    var action: String
    var first_seen: Int64
    var last_seen: Int64
    var filter: String

    init(_ pair: FlowPair) {
        (source, dest) = (pair.source, pair.destination)
        (dest_port, proto) = (pair.port, pair.proto)
        (dest_service_namespace, dest_service_name) = (pair.service.namespace, pair.service.name)
        (allowed, denied, pending) = (pair.allowed, pair.denied, pair.pending)
        rule = pair.example.decidingHits.last
        action = pair.example.text(.action) ?? "-"
        (first_seen, last_seen, filter) = (pair.firstSeen, pair.lastSeen, pair.filter)
    }
}

struct QueryShape: Encodable {
    struct Point: Encodable {
        var time: Int64
        var sums: [UInt64]
    }

    struct Row: Encodable {
        var group: [String?]
        var sums: [UInt64]
        var points: [Point]?
        var first_seen: Int64
        var last_seen: Int64
    }

    struct Rest: Encodable {
        var groups: Int
        var sums: [UInt64]
    }

    var range: RangeShape
    var group_by: [String]
    var sum: [String]
    var interval: Int64?
    var rows: [Row]
    var other: Rest
    var total: Rest
}

struct OverviewShape: Encodable {
    struct Rates: Encodable {
        var seconds: Int64
        var allowed_connections: Double
        var denied_connections: Double
        var bytes: Double
    }

    struct Point: Encodable {
        var time: Int64
        var allowed: Amount
        var denied: Amount
    }

    struct Series: Encodable {
        var interval: Int64
        var points: [Point]
    }

    struct Totals: Encodable {
        var allowed: Amount
        var denied: Amount
        var records: UInt64
        var pending_differs: Pending
    }

    struct Pending: Encodable {
        var connections: UInt64
    }

    struct Denied: Encodable {
        var pair: PairShape
        var reason: String
    }

    struct Talker: Encodable {
        var pair: PairShape
    }

    var range: RangeShape
    var sentence: String
    var rates: Rates
    var series: Series
    var totals: Totals
    var top_denied: [Denied]
    var top_talkers: [Talker]
    var findings: [Finding]
}

struct GraphShape: Encodable {
    var range: RangeShape
    var by: String
    var graph: FlowGraph

    private enum CodingKeys: String, CodingKey {
        case range, by
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(range, forKey: .range)
        try container.encode(by, forKey: .by)
        try graph.encode(to: encoder)
    }
}

struct PoliciesShape: Encodable {
    var range: RangeShape
    var has_inventory: Bool
    var can_preview: Bool
    var tiers: [PolicyUse.Tier]
}

struct FindingsShape: Encodable {
    var range: RangeShape
    var findings: [Finding]
}

struct ErrorShape: Encodable {
    var error: APIError
}

struct StatusShape: Encodable {
    struct StoreShape: Encodable {
        var path: String?
        var records: Int
        var bytes: Int
        var oldest: Int64?
        var newest: Int64?
        var flow_keys: Int
    }

    var version: String
    var node: String
    var now: Int64
    var store: StoreShape
}

struct FieldsShape: Encodable {
    struct Field: Encodable {
        var name: String
        var type: String
        var unit: String
        var meaning: String
        var is_groupable: Bool
    }

    var fields: [Field]
}

struct ValuesShape: Encodable {
    var field: String
    var values: [String]
    var is_complete: Bool
}
