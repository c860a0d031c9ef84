import Records
import Store

/// The groups of a query, numbered in the order of their first record.
///
/// Groups depend on a row's flow key and on the values of its detail that are asked for. Only the first row with the same of
/// both is read as a record.
struct GroupTable {
    private let names: [GroupName]
    private let keys: [StoredKey]
    private let isOfKeys: Bool
    /// The group of each flow key; where details are asked for, of its rows without one.
    private var ofKey: [Int32]
    /// The values of details that are asked for, by their places in ``StoreFields/detail``, ascending.
    private let asked: [Int]
    /// Flow keys with the values of details that are asked for, and their groups.
    private var known = ByteTable()
    private var ofKnown: [Int32] = []
    private var part: [UInt8] = []
    private var numbers: [[String?]: Int] = [:]
    private var all: [[String?]] = []

    /// The most rows that are recognised, not read.
    private static let knownLimit = 500_000

    /// Creates an empty table.
    init(_ names: [GroupName], keys: [StoredKey]) {
        (self.names, self.keys) = (names, keys)
        isOfKeys = names.allSatisfy(\.isOfKey)
        ofKey = [Int32](repeating: -1, count: keys.count)
        asked = StoreFields.detail.indices.filter { names.contains(.field(StoreFields.detail[$0])) }
    }

    /// The number of groups.
    var count: Int { all.count }

    /// The values of a group.
    func values(_ number: Int) -> [String?] { all[number] }

    /// Whether groups depend on details.
    var needsDetails: Bool { !isOfKeys }

    /// The group number of a row.
    mutating func number(_ rows: ScanRows, _ row: Int, _ key: Int) throws -> Int {
        if isOfKeys || !rows.hasDetail(row) {
            if ofKey[key] >= 0 { return Int(ofKey[key]) }
            let number = isOfKeys ? number(of: keys[key].record) : try read(rows, row, key)
            ofKey[key] = Int32(number)
            return number
        }
        part.removeAll(keepingCapacity: true)
        withUnsafeBytes(of: Int32(key)) { part.append(contentsOf: $0) }
        rows.appendDetail(row, values: asked, to: &part)
        guard let place = known.number(of: part, limit: Self.knownLimit) else { return try read(rows, row, key) }
        if place.isNew { ofKnown.append(Int32(try read(rows, row, key))) }
        return Int(ofKnown[place.number])
    }

    private mutating func read(_ rows: ScanRows, _ row: Int, _ key: Int) throws -> Int {
        number(of: try ReadRecord(rows.line(row, keys[key])))
    }

    private mutating func number(of record: ReadRecord) -> Int {
        let values = names.map { $0.value(record) }
        if let known = numbers[values] { return known }
        numbers[values] = all.count
        all.append(values)
        return all.count - 1
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

    /// The number of sums held once a group of this number exists.
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
