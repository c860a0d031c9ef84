import FlowModel

/// The JSON values of an object, which are consecutive in the cache's bytes.
struct CachedText {
    /// The start of the first part.
    fileprivate(set) var offset = 0
    /// A short value that is stored here and not in the bytes.
    let short: ShortText
    /// Whether the text was shortened because it was too long.
    let isShortened: Bool
    /// The start of the second part, relative to the offset.
    private let secondOffset: UInt32
    /// The start of the third part, relative to the offset.
    private let thirdOffset: UInt32
    /// The number of bytes of all parts.
    private let totalCount: UInt32

    /// Takes the lengths of up to three parts and a short value.
    init(
        _ first: Int,
        _ second: Int = 0,
        _ third: Int = 0,
        short: ShortText = ShortText(""),
        isShortened: Bool = false
    ) {
        secondOffset = UInt32(first)
        thirdOffset = UInt32(first + second)
        totalCount = UInt32(first + second + third)
        self.short = short
        self.isShortened = isShortened
    }

    /// The number of bytes of all parts.
    var count: Int { Int(totalCount) }

    /// The range of the first part.
    var first: Range<Int> { part(0, secondOffset) }

    /// The range of the second part.
    var second: Range<Int> { part(secondOffset, thirdOffset) }

    /// The range of the third part.
    var third: Range<Int> { part(thirdOffset, totalCount) }

    private func part(_ begin: UInt32, _ end: UInt32) -> Range<Int> {
        offset + Int(begin)..<offset + Int(end)
    }
}

/// An immutable shared object whose text is cached.
protocol TextSource: AnyObject {
    /// A number that no other object of this type has or had.
    var textNumber: UInt64 { get }

    /// Appends the text in up to three parts, and returns their lengths.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText
}

/// A cache of the texts of recently used objects of one type, rendered once per object and found by its number.
///
/// An open hash table of indices (linear probing, at most half full). Entries are never removed individually:
/// ``forgetUnused()`` rebuilds the cache from the used entries, so the objects in one flush bound its size.
struct TextCache<Source: TextSource>: ~Copyable {
    private struct Entry {
        let id: UInt64
        /// The number of the last round in which the entry was used.
        var lastUse: UInt32
        var text: CachedText
    }

    /// The JSON values of all entries.
    private(set) var bytes = ByteBuffer()
    /// The number of objects whose text was shortened.
    private(set) var shortened: UInt64 = 0
    private var limits = RecordLimits()
    private var entries: [Entry] = []
    /// The index of an entry plus one, or 0; the number of slots is a power of two.
    private var slots = [UInt32](repeating: 0, count: 1024)
    private var turn: UInt32 = 0

    /// The number of cached objects.
    var count: Int { entries.count }

    /// Returns the texts of an object by its number; nil if they are not cached; valid until ``forgetUnused()``.
    mutating func text(of id: UInt64) -> CachedText? {
        var slot = Self.slot(of: id, among: slots.count)
        while slots[slot] != 0 {
            let index = Int(slots[slot] - 1)
            if entries[index].id == id {
                if entries[index].lastUse != turn { entries[index].lastUse = turn }
                return entries[index].text
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Renders and caches an object; its texts are valid until ``forgetUnused()``.
    mutating func render(_ source: Source) -> CachedText {
        let offset = bytes.count
        var text = source.render(into: &bytes, limits)
        text.offset = offset
        if text.isShortened { shortened += 1 }
        insert(Entry(id: source.textNumber, lastUse: turn, text: text))
        return text
    }

    /// Evicts entries that were not used since the last call; must be called once per flush.
    mutating func forgetUnused() {
        let ended = turn
        turn &+= 1
        guard entries.contains(where: { $0.lastUse != ended }) else { return }
        let old = TextCache(replacing: &self)
        for var entry in old.entries where entry.lastUse == ended {
            let offset = bytes.count
            bytes.append(old.bytes, from: entry.text.offset, count: entry.text.count)
            entry.text.offset = offset
            insert(entry)
        }
    }

    /// Creates an empty cache for texts within limits.
    init(_ limits: RecordLimits) {
        self.limits = limits
    }

    /// Takes the content of another cache, which is then empty and in the same round.
    private init(replacing other: inout TextCache) {
        let turn = other.turn
        let shortened = other.shortened
        var empty = TextCache(other.limits)
        empty.turn = turn
        empty.shortened = shortened
        self = other
        other = empty
    }
}

// MARK: - Entries

extension TextCache {
    private mutating func insert(_ entry: Entry) {
        entries.append(entry)
        if entries.count * 2 > slots.count {
            slots = [UInt32](repeating: 0, count: slots.count * 2)
            for index in entries.indices { occupySlot(for: index) }
        } else {
            occupySlot(for: entries.count - 1)
        }
    }

    private mutating func occupySlot(for index: Int) {
        var slot = Self.slot(of: entries[index].id, among: slots.count)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(index + 1)
    }

    /// The slot where the search for a number begins (Fibonacci hashing: consecutive numbers do not collide).
    private static func slot(of id: UInt64, among count: Int) -> Int {
        let mixed = id &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 32) & (count - 1)
    }
}
