import FlowModel
package import Records
package import Store

/// An amount of allowed or denied traffic.
package struct Amount: Sendable, Hashable, Encodable {
    /// Connections that started.
    package var connections: UInt64 = 0
    /// Bytes in both directions.
    package var bytes: UInt64 = 0
    /// Packets in both directions.
    package var packets: UInt64 = 0

    /// Creates an amount of zero.
    package init() {}

    init(connections: UInt64, bytes: UInt64, packets: UInt64) {
        (self.connections, self.bytes, self.packets) = (connections, bytes, packets)
    }

    /// Adds two amounts.
    static func += (left: inout Amount, right: Amount) {
        left.connections &+= right.connections
        left.bytes &+= right.bytes
        left.packets &+= right.packets
    }

    /// The sum of two amounts.
    package func adding(_ other: Amount) -> Amount {
        var sum = self
        sum += other
        return sum
    }

    /// The difference of two amounts, not below zero.
    func without(_ other: Amount) -> Amount {
        Amount(
            connections: connections - min(connections, other.connections),
            bytes: bytes - min(bytes, other.bytes),
            packets: packets - min(packets, other.packets)
        )
    }
}

/// The sums of each flow key over a range, from which pairs, graphs, policies and findings are made.
package struct KeyTotals {
    /// The sums of one key.
    package struct Total {
        /// The number of the key.
        package var key: Int
        /// Records.
        package var records: UInt64 = 0
        /// Connections, bytes, packets.
        package var amount = Amount()
        /// Start of the first interval, Unix seconds.
        package var first: Int64 = .max
        /// End of the last interval, Unix seconds.
        package var last: Int64 = .min
    }

    /// The keys that have records in the range.
    package private(set) var totals: [Total] = []
    /// The fields of each key.
    package let keys: [StoredKey]
    /// Allowed and denied amounts by series point.
    package private(set) var series: [Int64: (allowed: Amount, denied: Amount)] = [:]

    private static let counters = [FlowField.bytesIn, .bytesOut, .packetsIn, .packetsOut, .numFlowsStarted]
        .compactMap { StoreFields.counters.firstIndex(of: $0) }

    /// Sums the records of a scan.
    ///
    /// - Parameters:
    ///   - scan: selects the records.
    ///   - interval: the length of the points of a series, seconds; nil for none.
    /// - Throws: the errors of ``FlowScan/forEach(_:_:)``.
    package init(_ scan: FlowScan, interval: Int64? = nil) throws {
        keys = scan.snapshot.keys
        var places = [Int32](repeating: -1, count: keys.count)
        let isDenied = keys.map { $0.record.isDenied }
        var all: [Total] = []
        var points: [Int64: (allowed: Amount, denied: Amount)] = [:]
        let needs = ScanNeeds(takesSums: true, interval: interval, counters: Self.counters)
        try scan.forEach(needs) { rows, row in
            let key = Int(rows.keys[row])
            if places[key] < 0 {
                places[key] = Int32(all.count)
                all.append(Total(key: key))
            }
            let place = Int(places[key])
            let amount = Self.amount(rows, row)
            all[place].amount += amount
            all[place].records &+= rows.records.isEmpty ? 1 : rows.records[row]
            all[place].first = min(all[place].first, rows.starts[row])
            all[place].last = max(all[place].last, rows.ends[row])
            guard let interval else { return }
            let time = rows.pointTime(row) / interval * interval
            if isDenied[key] {
                points[time, default: (Amount(), Amount())].denied += amount
            } else {
                points[time, default: (Amount(), Amount())].allowed += amount
            }
        }
        totals = all
        series = points
    }

    private static func amount(_ rows: ScanRows, _ row: Int) -> Amount {
        func value(_ index: Int) -> UInt64 {
            let column = rows.counters[counters[index]]
            return column.isEmpty ? 0 : column[row]
        }
        return Amount(connections: value(4), bytes: value(0) &+ value(1), packets: value(2) &+ value(3))
    }

    /// Returns the key of a total as a record.
    package func record(_ total: Total) -> ReadRecord { keys[total.key].record }
}
