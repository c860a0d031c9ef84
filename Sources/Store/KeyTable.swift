import FlowModel

/// The numbers that the store has given to flow keys; stored, so that readers know which keys they lack.
struct KeyState: Equatable {
    /// How many times unused keys were deleted; a number may have another key after each.
    var sweeps: Int64 = 0
    /// The number after the last one that was given out since: new keys get ascending numbers.
    var next = 0
    /// The number of keys.
    var count = 0
}

/// The blocks that refer to a flow key.
struct KeyUse: Hashable {
    /// The number of the only hour with the key, -1 for none, -2 for other blocks.
    private var hour: Int32

    /// No block.
    static let none = KeyUse(hour: -1)
    /// Records, sums of times with records, or sums of several hours.
    static let many = KeyUse(hour: -2)

    private init(hour: Int32) { self.hour = hour }

    /// Sums of an hour whose records are gone.
    init(hourOf start: Int64) { hour = Int32(clamping: start / 3600) }

    /// The beginning of the only hour; nil for others.
    var start: Int64? { hour < 0 ? nil : Int64(hour) * 3600 }

    /// Adds another block.
    mutating func add(_ other: KeyUse) {
        if self == .none { self = other } else if self != other { self = .many }
    }
}

/// The flow keys of a writer and their numbers.
///
/// Keys that no block refers to any more are deleted in a sweep, and their numbers are given to new keys. A sweep reads the
/// numbers in all blocks, so there is one only when there are many keys, and at most one in an hour of a run. If too many keys
/// are left, those that only the sums of one hour have get a common key there: the sums of a flood would keep its keys for two years.
struct KeyTable {
    private var table = ByteTable()
    /// The number of each key, in the order of ``table``.
    private var numbers: [Int32] = []
    /// The numbers below ``end`` that have no key and may be given out, descending.
    private var free: [Int32] = []
    /// The number after the largest one.
    private var end = 0
    private var state = KeyState()
    /// How many keys are stored; those that follow in ``table`` are new.
    private var stored = 0
    /// Whether there was no room for a key since the last sweep.
    private var isFull = false
    /// The number of keys that the last sweep left.
    private var kept = 0
    /// The time of the next sweep at the earliest, Unix seconds.
    private var nextSweep: Int64 = 0

    /// The time between two sweeps, seconds.
    private static let pause: Int64 = 3600
    /// The number of keys below which only a limit is a reason for a sweep.
    private static let few = 10_000
    /// The number of keys of an hour below which they stay.
    private static let fewOfHour = 50
    /// The upper limit of numbers; readers have arrays by number.
    static let numberLimit = 1 << 22
    /// The size of a stored key without its values: names of fields, quotes and separators.
    private static let overhead = StoreFields.key.reduce(8) { $0 + $1.description.name.utf8.count + 3 }

    /// The key of records whose own key has no room: all its values are empty.
    static let common: [UInt8] = {
        let values = StoreFields.key.map { Array($0.description.emptyJSON.utf8) }
        return Array(values.joined(separator: CollectionOfOne(StoreFields.separator)))
    }()

    /// Creates an empty table.
    init() {}

    /// Reads the keys of a file.
    ///
    /// - Throws: `StoreError` if they are not what a writer leaves.
    init(_ access: StoreAccess) throws {
        state = try access.keyState()
        try access.keys(from: 0) { number, json in
            guard 0..<Self.numberLimit ~= number, insert(try StoredKey(json: json).bytes, number) else {
                throw StoreError.corrupt("flow key \(number) is there twice, or has no such number")
            }
        }
        guard table.count == state.count else {
            throw StoreError.corrupt("there are \(table.count) of \(state.count) flow keys")
        }
        (stored, kept) = (table.count, table.count)
        findFree()
    }

    /// The number of keys.
    var count: Int { table.count }

    /// The size of the keys in the file, bytes.
    private var byteCount: Int { table.byteCount + table.count * Self.overhead }

    /// Returns the number of a key; nil for a new key for which there is no room.
    mutating func number(of key: [UInt8], _ limits: StoreLimits) -> Int? {
        if let number = number(of: key, limit: byteCount < limits.keyBytes ? limits.keys : 0) { return number }
        isFull = true
        return nil
    }

    /// Returns the number of a key; nil if it is new and there are as many as the limit.
    mutating func number(of key: [UInt8], limit: Int) -> Int? {
        guard let place = table.number(of: key, limit: min(limit, Self.numberLimit - 1)) else { return nil }
        if place.isNew {
            let number = free.popLast().map { Int($0) } ?? end
            numbers.append(Int32(number))
            end = max(end, number + 1)
            state.next = number + 1
        }
        return Int(numbers[place.number])
    }

    /// Returns the bytes of keys by their numbers.
    func bytesByNumber() -> (Int) -> [UInt8] {
        var places = [Int32](repeating: -1, count: end)
        for (place, number) in numbers.enumerated() { places[Int(number)] = Int32(place) }
        return { number in
            let place = Int(places[number])
            return place < 0 ? [] : table.bytes(of: place)
        }
    }

    private mutating func insert(_ key: [UInt8], _ number: Int) -> Bool {
        guard let place = table.number(of: key), place.isNew else { return false }
        numbers.append(Int32(number))
        end = max(end, number + 1)
        return true
    }

    /// Finds the numbers that may be given out: below the next one, a reader could have an older key.
    private mutating func findFree() {
        var isUsed = [Bool](repeating: false, count: end)
        for number in numbers { isUsed[Int(number)] = true }
        free = (min(state.next, end)..<end).reversed().filter { !isUsed[$0] }.map { Int32($0) }
    }

    // MARK: Transactions

    /// Writes the new keys.
    func write(_ access: StoreAccess) throws {
        guard stored < table.count else { return }
        for place in stored..<table.count {
            try access.write(key: table.bytes(of: place), number: Int(numbers[place]))
        }
        try access.set(keyState: KeyState(sweeps: state.sweeps, next: state.next, count: table.count))
    }

    /// Notes that the new keys were written.
    mutating func noteWritten() { stored = table.count }

    /// Whether there are so many keys that unused ones are to be deleted.
    func isSweepDue(at time: Int64, _ limits: StoreLimits) -> Bool {
        guard
            isFull || count > limits.keys / 4 * 3 || byteCount > limits.keyBytes / 4 * 3
                || count > max(Self.few, 2 * kept)
        else { return false }
        return time >= nextSweep || time < nextSweep - Self.pause
    }

    /// Deletes the keys that no block refers to.
    ///
    /// - Parameters:
    ///   - access: the transaction; all new keys and all rows are written.
    ///   - time: the present time, Unix seconds.
    ///   - limits: the limits, of which a half is to be free.
    /// - Returns: the table to use when the transaction has succeeded.
    /// - Throws: errors of the database.
    func swept(_ access: StoreAccess, at time: Int64, _ limits: StoreLimits) throws -> KeyTable {
        var all = self
        all.noteWritten()
        let common = all.number(of: Self.common, limit: .max) ?? 0
        try all.write(access)
        var uses = try access.keyUses(below: all.end)
        try all.fold(access, &uses, into: common, limits)
        return try all.without(uses, access, at: time)
    }

    private func without(_ uses: [KeyUse], _ access: StoreAccess, at time: Int64) throws -> KeyTable {
        var result = KeyTable()
        for (place, number) in numbers.enumerated() {
            if uses[Int(number)] != .none {
                _ = result.insert(table.bytes(of: place), Int(number))
            } else {
                try access.deleteKey(Int(number))
            }
        }
        result.state = KeyState(sweeps: state.sweeps + 1, next: 0, count: result.count)
        try access.set(keyState: result.state)
        (result.stored, result.kept, result.nextSweep) = (result.count, result.count, time + Self.pause)
        result.findFree()
        return result
    }

    /// Gives the keys that only one hour has a common key there, beginning with the hour that has most.
    private func fold(
        _ access: StoreAccess,
        _ uses: inout [KeyUse],
        into common: Int,
        _ limits: StoreLimits
    ) throws {
        var (count, bytes) = (0, 0)
        var placesOfHour: [Int64: [Int]] = [:]
        for (place, number) in numbers.enumerated() where uses[Int(number)] != .none {
            count += 1
            bytes += size(place)
            if let hour = uses[Int(number)].start { placesOfHour[hour, default: []].append(place) }
        }
        for (hour, places) in placesOfHour.sorted(by: { $0.value.count > $1.value.count }) {
            guard places.count >= Self.fewOfHour, count > limits.keys / 2 || bytes > limits.keyBytes / 2 else { return }
            let use = KeyUse(hourOf: hour)
            guard try access.fold(hour: hour, into: common, { uses.indices.contains($0) && uses[$0] == use }) else {
                continue
            }
            for place in places {
                uses[Int(numbers[place])] = .none
                bytes -= size(place)
            }
            count -= places.count
            uses[common] = .many
        }
    }

    /// The size of a key in the file, bytes.
    private func size(_ place: Int) -> Int { table.bytes(of: place).count + Self.overhead }
}

extension StoreLimits {
    /// The maximum size of the flow keys in the file, bytes: an eighth of the store.
    var keyBytes: Int { bytes == .max ? .max : bytes / 8 }
}
