import FlowModel
import Records
import Store

/// The groups of a query, numbered in the order of their first record.
///
/// The group of a row depends on its flow key and on the details in the group names. The text of each key and each value is
/// read once; a group is a list of text numbers.
struct GroupTable {
    private let names: [GroupName]
    private let keys: [StoredKey]
    private let isOfKeys: Bool
    /// The group of each flow key; if groups depend on details, the group of its rows without a detail.
    private var ofKey: [Int32]
    /// The details in the group names, by their index in ``StoreFields/detail``, ascending.
    private let asked: [Int]
    /// For each name, the index in ``asked`` of its value; nil if the flow key contains the value.
    private let sources: [Int?]
    /// Flow keys with the values of these details; their groups are in ``ofKnown``.
    private var known = ByteTable()
    private var ofKnown: [Int32] = []
    private var part: [UInt8] = []
    /// Groups by their numbers in ``places``.
    private var groups = ByteTable()
    /// For each group, its number in ``parts``, then its numbers in ``texts``.
    private var places: [Int32] = []
    /// The values of groups that flow keys contain, and for each key the number of its values, or -1.
    private var parts: [[String?]] = []
    private var partNumbers: [[String?]: Int32] = [:]
    private var partOfKey: [Int32]
    /// The values of details as JSON, the number of each value's text, and the texts.
    private var values = ByteTable()
    private var textOfValue: [Int32] = []
    private var texts: [String?] = []
    private var textNumbers: [String?: Int32] = [:]

    /// The maximum number of known rows; the text of known rows is not read again.
    private static let knownLimit = 500_000

    /// Creates an empty table.
    init(_ names: [GroupName], keys: [StoredKey]) {
        (self.names, self.keys) = (names, keys)
        isOfKeys = names.allSatisfy(\.isOfKey)
        ofKey = [Int32](repeating: -1, count: keys.count)
        partOfKey = ofKey
        let asked = StoreFields.detail.indices.filter { names.contains(.field(StoreFields.detail[$0])) }
        self.asked = asked
        sources = names.map { name in asked.firstIndex { .field(StoreFields.detail[$0]) == name } }
    }

    /// The number of groups.
    var count: Int { places.count / (1 + asked.count) }

    /// The values of a group.
    func values(_ number: Int) -> [String?] {
        let first = number * (1 + asked.count)
        var values = parts[Int(places[first])]
        for (index, source) in sources.enumerated() {
            if let source { values[index] = texts[Int(places[first + 1 + source])] }
        }
        return values
    }

    /// Whether groups depend on details.
    var needsDetails: Bool { !isOfKeys }

    /// Returns the group number of a row.
    mutating func number(_ rows: ScanRows, _ row: Int, _ key: Int) throws -> Int {
        if isOfKeys || !rows.hasDetail(row) {
            if ofKey[key] < 0 {
                part.removeAll(keepingCapacity: true)
                ofKey[key] = Int32(try number(of: key, details: part[...]))
            }
            return Int(ofKey[key])
        }
        part.removeAll(keepingCapacity: true)
        withUnsafeBytes(of: Int32(key)) { part.append(contentsOf: $0) }
        rows.appendDetail(row, values: asked, to: &part)
        let details = part[MemoryLayout<Int32>.size...]
        guard let place = known.number(of: part, limit: Self.knownLimit) else {
            return try number(of: key, details: details)
        }
        if place.isNew { ofKnown.append(Int32(try number(of: key, details: details))) }
        return Int(ofKnown[place.number])
    }

    /// Returns the group number of a flow key with values of details, each followed by a separator.
    private mutating func number(of key: Int, details: ArraySlice<UInt8>) throws -> Int {
        var group = [partNumber(of: key)]
        var rest = details
        for index in asked {
            let value = rest.prefix { $0 != StoreFields.separator }
            rest = rest[value.endIndex...].dropFirst()
            group.append(try textNumber(of: value, StoreFields.detail[index]))
        }
        // The table has no limit, so there is always a number.
        guard let place = groups.number(of: group.withUnsafeBytes { Array($0) }) else { return 0 }
        if place.isNew { places += group }
        return place.number
    }

    private mutating func partNumber(of key: Int) -> Int32 {
        if partOfKey[key] >= 0 { return partOfKey[key] }
        let part = names.enumerated().map { index, name in sources[index] == nil ? name.value(keys[key].record) : nil }
        let number = partNumbers[part] ?? Int32(parts.count)
        if number == parts.count {
            partNumbers[part] = number
            parts.append(part)
        }
        partOfKey[key] = number
        return number
    }

    /// Returns the number of a JSON value's text; an empty value stands for the field's empty value.
    private mutating func textNumber(of value: ArraySlice<UInt8>, _ field: FlowField) throws -> Int32 {
        let json = value.isEmpty ? Array(field.description.emptyJSON.utf8) : Array(value)
        guard let place = values.number(of: json) else { return 0 }
        if place.isNew {
            let record = try ReadRecord(Array("{\"\(field.description.name)\":".utf8) + json + [UInt8(ascii: "}")])
            let text = GroupName.field(field).value(record)
            let number = textNumbers[text] ?? Int32(texts.count)
            if number == texts.count {
                textNumbers[text] = number
                texts.append(text)
            }
            textOfValue.append(number)
        }
        return textOfValue[place.number]
    }
}

/// Sums by group, and by series point if the query has a series.
struct SumTable {
    private let width: Int
    private let points: Int
    private var totals: [UInt64] = []
    private var cells: [UInt64] = []
    /// Whether each cell has records.
    private var isUsed: [Bool] = []
    /// Start of the first interval of each group, Unix seconds.
    private(set) var firsts: [Int64] = []
    /// End of the last interval of each group, Unix seconds.
    private(set) var lasts: [Int64] = []

    /// Creates a table without groups.
    init(width: Int, points: Int) {
        (self.width, self.points) = (width, points)
    }

    /// Returns the number of sums if there were a group with this number.
    func count(with group: Int) -> Int { max(group + 1, firsts.count) * (points + 1) * width }

    /// Adds values to a group.
    mutating func add(_ values: [UInt64], _ group: Int, _ point: Int?, _ interval: ClosedRange<Int64>) {
        while group >= firsts.count {
            firsts.append(.max)
            lasts.append(.min)
            totals.append(contentsOf: repeatElement(0, count: width))
            cells.append(contentsOf: repeatElement(0, count: width * points))
            isUsed.append(contentsOf: repeatElement(false, count: points))
        }
        firsts[group] = min(firsts[group], interval.lowerBound)
        lasts[group] = max(lasts[group], interval.upperBound)
        for index in 0..<width { Self.add(values[index], to: &totals[group * width + index]) }
        guard let point, point >= 0, point < points else { return }
        let cell = group * points + point
        isUsed[cell] = true
        for index in 0..<width { Self.add(values[index], to: &cells[cell * width + index]) }
    }

    /// The sums of a group.
    func sums(_ group: Int) -> [UInt64] { Array(totals[(group * width)..<((group + 1) * width)]) }

    /// The points of a group that have records.
    func points(_ group: Int) -> [(point: Int, sums: [UInt64])] {
        (0..<points).compactMap { point in
            let cell = group * points + point
            return isUsed[cell] ? (point, Array(cells[(cell * width)..<((cell + 1) * width)])) : nil
        }
    }

    private static func add(_ value: UInt64, to sum: inout UInt64) {
        let (result, overflow) = sum.addingReportingOverflow(value)
        sum = overflow ? .max : result
    }
}
