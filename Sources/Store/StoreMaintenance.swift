import Glibc

/// Maintains blocks: joins the blocks of completed minutes, makes sums of completed buckets, and deletes expired data.
///
/// A block of sums exists only while it matches its records. When records are added to a bucket, its sums are deleted, and made
/// again when the bucket is complete.
struct StoreMaintenance {
    /// The start of the newest minute that is not in the future, Unix seconds.
    private var newest: Int64 = 0
    /// The time before which records are rejected, Unix seconds: only sums of those times remain.
    private(set) var floor: Int64 = 0
    /// The current time for ages and for what is complete: that of the newest records, unless the clock was set back.
    ///
    /// A record with a time in the future must neither expire others nor complete their buckets.
    var present: Int64 {
        let now = Int64(time(nil))
        return newest > now + Self.tolerance ? now : newest
    }
    /// The maximum time by which a record may be ahead of the clock, seconds.
    private static let tolerance: Int64 = 300
    private var openMinutes: Set<Int64> = []
    /// The minutes that got records in the present transaction.
    private var touched: Set<Int64> = []
    private var openFives: Set<Int64> = []
    private var openHours: Set<Int64> = []
    /// Whether blocks were deleted since the last sweep of flow keys, so that there may be keys without a block.
    private(set) var hasDeleted = true

    /// The maximum number of rows of a minute for which its blocks are joined.
    private static let largestMinute = 400_000

    /// Finds the unfinished work of an earlier run.
    mutating func begin(_ access: StoreAccess) throws {
        guard let bounds = try access.bounds(.minute) else { return }
        let latest = Int64(time(nil)) + Self.tolerance
        newest = bounds.last <= latest ? bounds.last : try access.lastMinute(upTo: latest) ?? 0
        let (sums, hours) = (try access.bounds(.fiveMinutes), try access.bounds(.hour))
        if min(sums?.first ?? .max, hours?.first ?? .max) < bounds.first / 3600 * 3600 {
            // The first records may be those of the future.
            floor = min(bounds.first, max((sums?.last ?? 0) + 300, (hours?.last ?? 0) + 3600))
        }
        let from = max(bounds.first, newest - 2 * 3600)
        let fives = Set(try access.blocks(.fiveMinutes, from: from - 3600, before: .max / 4).map(\.id.start))
        let known = Set(try access.blocks(.hour, from: from - 3600, before: .max / 4).map(\.id.start))
        for block in try access.blocks(.minute, from: from, before: .max / 4) {
            let (five, hour) = (Self.bucket(block.id.start, 300), Self.bucket(block.id.start, 3600))
            if block.id.part > 0 { openMinutes.insert(block.id.start) }
            if !fives.contains(five) { openFives.insert(five) }
            if !known.contains(hour) { openHours.insert(hour) }
        }
    }

    /// Writes rows as blocks of their minutes.
    mutating func add(_ minutes: [Int64: BlockRows], _ access: StoreAccess) throws {
        let latest = Int64(time(nil)) + Self.tolerance
        touched = Set(minutes.keys)
        for (start, rows) in minutes.sorted(by: { $0.key < $1.key }) {
            if start <= latest { newest = max(newest, start) }
            let known = try access.blocks(.minute, from: start, before: start + 60)
            var id = BlockID(span: .minute, start: start, part: (known.last?.id.part ?? -1) + 1)
            guard id.part < BlockID.maximumParts else { throw StoreError.unavailable("too many blocks in a minute") }
            if known.isEmpty { id.part = 0 } else { openMinutes.insert(start) }
            try access.write(rows.sorted(), as: id)
            let (five, hour) = (Self.bucket(start, 300), Self.bucket(start, 3600))
            if openFives.insert(five).inserted { try access.delete(BlockID(span: .fiveMinutes, start: five)) }
            if openHours.insert(hour).inserted { try access.delete(BlockID(span: .hour, start: hour)) }
        }
    }

    /// Joins and sums what is complete after rows were added.
    mutating func finish(_ access: StoreAccess) throws {
        let present = present
        // Live readers recognise new records by their blocks, so these are joined one transaction later at the earliest.
        for minute in openMinutes where minute < present && !touched.contains(minute) {
            try Self.passingOverDamage { try join(minute, access) }
            openMinutes.remove(minute)
        }
        for five in openFives.sorted() where five + 300 <= present {
            let blocks = try access.blocks(.minute, from: five, before: five + 300)
            try Self.passingOverDamage { try sum(blocks, access, as: BlockID(span: .fiveMinutes, start: five)) }
            openFives.remove(five)
        }
        for hour in openHours.sorted() where hour + 3600 <= present {
            let blocks = try access.blocks(.fiveMinutes, from: hour, before: hour + 3600)
            try Self.passingOverDamage { try sum(blocks, access, as: BlockID(span: .hour, start: hour)) }
            openHours.remove(hour)
        }
    }

    /// Ignores damage: a block that cannot be read stays as it is, without sums, and must not prevent new records.
    private static func passingOverDamage(_ work: () throws -> Void) throws {
        do {
            try work()
        } catch StoreError.corrupt {
            return
        }
    }

    private static func bucket(_ start: Int64, _ seconds: Int64) -> Int64 { start / seconds * seconds }

    /// Joins the blocks of a minute.
    private func join(_ minute: Int64, _ access: StoreAccess) throws {
        let blocks = try access.blocks(.minute, from: minute, before: minute + 60)
        guard blocks.count > 1, blocks.reduce(0, { $0 + $1.rows }) <= Self.largestMinute else { return }
        var rows = BlockRows()
        // All parts are read before one is deleted: if one is damaged, the others stay.
        for block in blocks { rows.append(try access.rows(block)) }
        for block in blocks { try access.delete(block.id) }
        try access.write(rows.sorted(), as: BlockID(span: .minute, start: minute))
    }

    private func sum(_ blocks: [StoreAccess.Block], _ access: StoreAccess, as id: BlockID) throws {
        var sums = RollUp()
        let columns =
            [StoreColumn.duration, StoreColumn.records]
            + (0..<StoreFields.summed).map { StoreColumn.counters + $0 }
        for block in blocks { sums.add(try access.rows(block, columns: columns)) }
        try access.write(sums.rows, as: id)
    }

    /// Removes expired data.
    mutating func expire(_ access: StoreAccess, _ limits: StoreLimits) throws {
        for (span, age) in [
            (BlockID.Span.minute, limits.recordAge), (.fiveMinutes, limits.fiveMinuteAge), (.hour, limits.hourAge),
        ] where present > age {
            if try access.delete(span, before: present - age) { hasDeleted = true }
        }
    }

    /// Notes that flow keys without a block were deleted.
    mutating func noteSweep() { hasDeleted = false }

    /// Removes the oldest data beyond the size limit.
    mutating func limit(_ access: StoreAccess, _ limits: StoreLimits) throws {
        guard limits.bytes != .max else { return }
        var used = try access.usedBytes()
        guard used > limits.bytes else { return try access.giveBack(pages: 256) }
        while used > limits.bytes, try removeOldest(access) { used = try access.usedBytes() }
        floor = max(floor, min(try access.bounds(.minute)?.first ?? present, present))
        try access.giveBack(pages: 4096)
    }

    /// Deletes ten minutes of records; without records, a day of sums.
    ///
    /// - Returns: false if nothing old enough is left.
    private mutating func removeOldest(_ access: StoreAccess) throws -> Bool {
        for (span, step) in [(BlockID.Span.minute, Int64(600)), (.fiveMinutes, 86_400), (.hour, 86_400)] {
            guard let bounds = try access.bounds(span), bounds.first < present - 60 else { continue }
            if try access.delete(span, before: min(bounds.first + step, present - 60)) { hasDeleted = true }
            return true
        }
        return false
    }
}
