import Records
import Store

/// The groups of a query, numbered in the order of their first record.
struct GroupTable {
    private let names: [GroupName]
    private let keys: [StoredKey]
    private let isOfKeys: Bool
    private var ofKey: [Int32]
    private var numbers: [[String?]: Int] = [:]
    private var all: [[String?]] = []

    /// Creates an empty table.
    init(_ names: [GroupName], keys: [StoredKey]) {
        (self.names, self.keys) = (names, keys)
        isOfKeys = names.allSatisfy(\.isOfKey)
        ofKey = isOfKeys ? [Int32](repeating: -1, count: keys.count) : []
    }

    /// The number of groups.
    var count: Int { all.count }

    /// The values of a group.
    func values(_ number: Int) -> [String?] { all[number] }

    /// The counter columns to read: those of the measures, or nil for all if groups depend on single records.
    func counters(_ wanted: [Int]) -> [Int]? { isOfKeys ? wanted : nil }

    /// The group number of a row.
    mutating func number(_ rows: ScanRows, _ row: Int, _ key: Int) throws -> Int {
        guard isOfKeys else { return try number(of: ReadRecord(rows.line(row, keys[key]))) }
        if ofKey[key] >= 0 { return Int(ofKey[key]) }
        let number = number(of: keys[key].record)
        ofKey[key] = Int32(number)
        return number
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
