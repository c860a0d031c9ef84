import FlowModel
import Glibc

/// A cache of parsed lines: a line that differs from an earlier one only in its numbers is not parsed as JSON again.
///
/// The cache contains the texts of ``LineParts`` and their meaning. A full cache is cleared. If lines rarely repeat, such as
/// those of single connections, the cache is not used for a while.
struct KnownLines {
    /// The properties that lines with the same texts share.
    struct Meaning {
        /// The number of the flow key.
        var key: Int
        /// The detail.
        var detail: [UInt8]
        /// The counters in the order of ``StoreFields/counters``; those that are numbers of ``LineParts`` are 0.
        var counters: [UInt64]
    }

    /// The texts of a cached line; its meaning has the same index.
    private struct Entry {
        var hash: UInt64
        var start: Int
        /// The lengths of the three texts.
        var lengths: (Int32, Int32, Int32)
    }

    /// The maximum number of bytes of cached lines.
    private static let limit = 16 << 20
    /// The number of lines that are not looked up after lines have rarely repeated.
    private static let rest = 100_000

    private var slots = [Int32](repeating: -1, count: 1024)
    private var entries: [Entry] = []
    private var arena: [UInt8] = []
    private var meanings: [Meaning] = []
    private var hits = 0
    private var resting = 0
    private let seed = UInt64.random(in: .min ... .max) | 1

    /// Whether lines are looked up now; counts the lines that are not.
    mutating func isAwake() -> Bool {
        guard resting > 0 else { return true }
        resting -= 1
        return false
    }

    /// Returns the index of a line's meaning; nil if no line with its texts was added.
    mutating func meaning(of parts: LineParts, _ line: UnsafeBufferPointer<UInt8>) -> Int? {
        let hash = hash(parts, line)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash, isEqual(entry, parts, line) {
                hits += 1
                return Int(slots[slot])
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Returns the number of a meaning's flow key.
    func key(_ meaning: Int) -> Int { meanings[meaning].key }

    /// Copies the counters and the detail of a meaning.
    func copy(_ meaning: Int, _ counters: inout [UInt64], _ detail: inout [UInt8]) {
        for index in counters.indices { counters[index] = meanings[meaning].counters[index] }
        detail.removeAll(keepingCapacity: true)
        if !meanings[meaning].detail.isEmpty { detail += meanings[meaning].detail }
    }

    /// Adds the meaning of a line for which ``meaning(of:_:)`` returned nil.
    mutating func add(_ meaning: Meaning, of parts: LineParts, _ line: UnsafeBufferPointer<UInt8>) {
        let texts = parts.texts
        let length = texts.first.count + texts.second.count + texts.third.count
        if arena.count + length > Self.limit { beginAnew() }
        let entry = Entry(
            hash: hash(parts, line),
            start: arena.count,
            lengths: (Int32(texts.first.count), Int32(texts.second.count), Int32(texts.third.count))
        )
        for text in [texts.first, texts.second, texts.third] {
            arena.append(contentsOf: UnsafeBufferPointer(rebasing: line[text]))
        }
        meanings.append(meaning)
        entries.append(entry)
        if entries.count * 2 > slots.count {
            slots = [Int32](repeating: -1, count: slots.count * 2)
            for index in entries.indices { place(index) }
        } else {
            place(entries.count - 1)
        }
    }

    private mutating func place(_ index: Int) {
        var slot = Int(truncatingIfNeeded: entries[index].hash) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(index)
    }

    private mutating func beginAnew() {
        if hits < entries.count { resting = Self.rest }
        hits = 0
        arena.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        meanings.removeAll(keepingCapacity: true)
        for slot in slots.indices { slots[slot] = -1 }
    }

    private func isEqual(_ entry: Entry, _ parts: LineParts, _ line: UnsafeBufferPointer<UInt8>) -> Bool {
        let texts = parts.texts
        guard Int(entry.lengths.0) == texts.first.count, Int(entry.lengths.1) == texts.second.count,
            Int(entry.lengths.2) == texts.third.count
        else { return false }
        return arena.withUnsafeBufferPointer { arena in
            guard let known = arena.baseAddress, let text = line.baseAddress else { return false }
            let second = entry.start + texts.first.count
            let third = second + texts.second.count
            return memcmp(known + entry.start, text + texts.first.lowerBound, texts.first.count) == 0
                && memcmp(known + second, text + texts.second.lowerBound, texts.second.count) == 0
                && memcmp(known + third, text + texts.third.lowerBound, texts.third.count) == 0
        }
    }

    /// The seed prevents deliberate collisions.
    private func hash(_ parts: LineParts, _ line: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let bytes = UnsafeRawBufferPointer(line)
        var hash = ByteHash.of(UnsafeRawBufferPointer(rebasing: bytes[parts.texts.first]), seed: seed)
        hash = ByteHash.of(UnsafeRawBufferPointer(rebasing: bytes[parts.texts.second]), seed: hash)
        return ByteHash.of(UnsafeRawBufferPointer(rebasing: bytes[parts.texts.third]), seed: hash)
    }
}

/// A hash of bytes for tables in memory: reads eight bytes at a time, in four parallel lanes.
enum ByteHash {
    /// Returns the hash of bytes with a secret seed.
    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var hash = seed ^ UInt64(bytes.count)
        var offset = 0
        if bytes.count >= 64 {
            var lanes = (hash, mix(hash &+ 1), mix(hash &+ 2), mix(hash &+ 3))
            while offset &+ 32 <= bytes.count {
                lanes.0 = mix(lanes.0 ^ word(bytes, offset))
                lanes.1 = mix(lanes.1 ^ word(bytes, offset &+ 8))
                lanes.2 = mix(lanes.2 ^ word(bytes, offset &+ 16))
                lanes.3 = mix(lanes.3 ^ word(bytes, offset &+ 24))
                offset &+= 32
            }
            hash = mix(mix(lanes.0 ^ lanes.1) ^ mix(lanes.2 &+ lanes.3))
        }
        while offset &+ 8 <= bytes.count {
            hash = mix(hash ^ word(bytes, offset))
            offset &+= 8
        }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset &+= 1
        }
        return mix(hash ^ rest)
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return product.high ^ product.low
    }
}
