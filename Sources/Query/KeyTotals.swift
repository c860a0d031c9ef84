import FlowModel
package import Records
package import Store

/// An amount of allowed or denied traffic.
package struct Amount: Sendable, Hashable, Encodable {
    /// Connections that started.
    package var connections: UInt64 = 0
    /// Bytes in both directions; forwarded connections have those that the host forwarded.
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

    /// The smaller of two amounts, separately for each member.
    func limited(to other: Amount) -> Amount {
        Amount(
            connections: min(connections, other.connections),
            bytes: min(bytes, other.bytes),
            packets: min(packets, other.packets)
        )
    }

    /// The difference of two amounts, not below zero.
    func without(_ other: Amount) -> Amount {
        let common = limited(to: other)
        return Amount(
            connections: connections - common.connections,
            bytes: bytes - common.bytes,
            packets: packets - common.packets
        )
    }
}

/// The sums of each flow key over a range, from which pairs, graphs, policies and findings are made.
package struct KeyTotals {
    /// The sums of one key.
    package struct Total {
        /// The number of the key.
        package var key: Int
        /// The hash of the key's pair.
        let pair: Int
        /// The reporter and the verdict of the key's records.
        let view: PairView
        /// Records.
        package var records: UInt64 = 0
        /// Connections, bytes, packets.
        package var amount = Amount()
        /// Start of the first interval, Unix seconds.
        package var first: Int64 = .max
        /// End of the last interval, Unix seconds.
        package var last: Int64 = .min

        init(key: Int, _ record: ReadRecord) {
            self.key = key
            pair = PairKey(record).hashValue
            view = PairView(record)
        }
    }

    /// The keys that have records in the range.
    package private(set) var totals: [Total] = []
    /// The fields of each key.
    package let keys: [StoredKey]
    /// Allowed and denied amounts by series point; each connection of a point counts once.
    package private(set) var series: [Int64: (allowed: Amount, denied: Amount)] = [:]

    private static let connections = Measure(.connections).counters
    private static let bytes = Measure(.bytes).counters
    private static let packets = Measure(.packets).counters
    private static let transitBytes = Measure(.transitBytes).counters
    private static let transitPackets = Measure(.transitPackets).counters

    /// Sums the records of a scan.
    ///
    /// - Parameters:
    ///   - scan: selects the records.
    ///   - interval: the length of the points of a series, seconds; nil for none.
    /// - Throws: the errors of ``FlowScan/forEach(_:_:)``.
    package init(_ scan: FlowScan, interval: Int64? = nil) throws {
        let keys = scan.snapshot.keys
        self.keys = keys
        var places = [Int32](repeating: -1, count: keys.count)
        var all: [Total] = []
        var sums = SeriesSums()
        let counters =
            (Self.connections + Self.bytes + Self.packets + Self.transitBytes + Self.transitPackets).sorted()
        let needs = ScanNeeds(takesSums: true, interval: interval, counters: counters)
        try scan.forEach(needs) { rows, row in
            let key = Int(rows.keys[row])
            if places[key] < 0 {
                places[key] = Int32(all.count)
                all.append(Total(key: key, keys[key].record))
            }
            let place = Int(places[key])
            let amount = Self.amount(rows, row, isForwarded: all[place].view.reporter == .forward)
            all[place].amount += amount
            all[place].records &+= rows.records.isEmpty ? 1 : rows.records[row]
            all[place].first = min(all[place].first, rows.starts[row])
            all[place].last = max(all[place].last, rows.ends[row])
            guard let interval else { return }
            let time = rows.pointTime(row) / interval * interval
            if sums.time != time { sums.begin(time, all) }
            sums.add(amount, place)
        }
        sums.begin(nil, all)
        totals = all
        series = sums.points
    }

    /// An end may report a connection together with the host that forwards it (`dst,fwd`): its own counters count.
    private static func amount(_ rows: ScanRows, _ row: Int, isForwarded: Bool) -> Amount {
        Amount(
            connections: rows.sum(of: connections, row),
            bytes: rows.sum(of: isForwarded ? transitBytes : bytes, row),
            packets: rows.sum(of: isForwarded ? transitPackets : packets, row)
        )
    }

    /// Returns the key of a total as a record.
    package func record(_ total: Total) -> ReadRecord { keys[total.key].record }
}
