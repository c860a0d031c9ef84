import Filter
import FlowModel
import Records
import Store

/// Decides which rows of a scan match a filter.
///
/// All rows with the same flow key and the same values of the filter's details have the same result: only the first of them is
/// read as a record.
struct RowFilter {
    /// Whether the filter uses counters or times, so that each row must be read.
    let needsCounters: Bool
    private let filter: Filter
    private let keys: [StoredKey]
    /// Whether the filter uses only fields of the flow key.
    private let isOfKeys: Bool
    /// Whether the records of each flow key can match; always true if the filter uses other fields.
    private let wanted: [Bool]
    /// The details that the filter uses, by their index in ``StoreFields/detail``, ascending.
    private let asked: [Int]
    /// Flow keys with the values of these details; their results are in ``matchOfKnown``.
    private var known = ByteTable()
    private var matchOfKnown: [Bool] = []
    private var part: [UInt8] = []

    /// The maximum number of known rows; known rows are not read again.
    private static let knownLimit = 500_000
    /// The maximum number of bytes of the known rows' keys: pods choose the length of some details, such as process arguments.
    private static let knownByteLimit = 8 << 20

    /// Prepares a filter for flow keys.
    init(_ filter: Filter, keys: [StoredKey]) {
        (self.filter, self.keys) = (filter, keys)
        let others = Self.fields(of: filter.expression).subtracting(StoreFields.key)
        let isOfKeys = others.isEmpty
        self.isOfKeys = isOfKeys
        wanted = keys.map { !isOfKeys || filter.matches($0.record) }
        asked = StoreFields.detail.indices.filter { others.contains(StoreFields.detail[$0]) }
        needsCounters = asked.count < others.count
    }

    /// Whether the filter uses details.
    var needsDetails: Bool { !asked.isEmpty }

    /// Whether the filter can be applied to rows of sums.
    var takesSums: Bool { isOfKeys }

    /// Whether a row matches.
    mutating func matches(_ rows: ScanRows, _ row: Int) throws -> Bool {
        let key = Int(rows.keys[row])
        if isOfKeys { return wanted[key] }
        if needsCounters { return try read(rows, row, key) }
        part.removeAll(keepingCapacity: true)
        withUnsafeBytes(of: Int32(key)) { part.append(contentsOf: $0) }
        rows.appendDetail(row, values: asked, to: &part)
        let limit = known.byteCount < Self.knownByteLimit ? Self.knownLimit : matchOfKnown.count
        guard let place = known.number(of: part, limit: limit) else { return try read(rows, row, key) }
        if place.isNew { matchOfKnown.append(try read(rows, row, key)) }
        return matchOfKnown[place.number]
    }

    private func read(_ rows: ScanRows, _ row: Int, _ key: Int) throws -> Bool {
        filter.matches(try ReadRecord(rows.line(row, keys[key])))
    }

    private static func fields(of expression: FilterExpression) -> Set<FlowField> {
        switch expression {
        case .all: []
        case .not(let inner): fields(of: inner)
        case .and(let parts), .or(let parts): parts.reduce(into: []) { $0.formUnion(fields(of: $1)) }
        case .test(.field(let field), _), .test(.label(let field, _), _): [field]
        case .test(.hits, _): [.policies]
        }
    }
}
