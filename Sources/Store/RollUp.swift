/// Adds up rows by their flow keys.
struct RollUp {
    private var rowOfKey: [Int32: Int] = [:]
    private var keys: [Int32] = []
    private var firsts: [Int64] = []
    private var lasts: [Int64] = []
    private var records: [UInt64] = []
    private var sums: [[UInt64]] = []

    /// Adds the rows of a block.
    mutating func add(_ rows: BlockRows) {
        for row in 0..<rows.count {
            let key = rows.keys[row]
            let place: Int
            if let known = rowOfKey[key] {
                place = known
                firsts[place] = min(firsts[place], rows.starts[row])
                lasts[place] = max(lasts[place], rows.ends[row])
            } else {
                place = keys.count
                rowOfKey[key] = place
                keys.append(key)
                firsts.append(rows.starts[row])
                lasts.append(rows.ends[row])
                records.append(0)
                sums.append([UInt64](repeating: 0, count: StoreFields.summed))
            }
            records[place] &+= rows.records.isEmpty ? 1 : rows.records[row]
            for counter in 0..<StoreFields.summed where !rows.counters[counter].isEmpty {
                let sum = sums[place][counter].addingReportingOverflow(rows.counters[counter][row])
                sums[place][counter] = sum.overflow ? .max : sum.partialValue
            }
        }
    }

    /// The sums as rows of a block; each row spans from the start of the first record to the end of the last.
    var rows: BlockRows {
        var result = BlockRows()
        for place in keys.indices {
            var counters = [UInt64](repeating: 0, count: StoreFields.counters.count)
            counters.replaceSubrange(0..<StoreFields.summed, with: sums[place])
            result.append(
                key: Int(keys[place]),
                start: firsts[place],
                end: lasts[place],
                counters: counters,
                detail: []
            )
        }
        result.records = records
        return result.sorted()
    }
}
