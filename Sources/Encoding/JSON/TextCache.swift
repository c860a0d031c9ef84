import FlowModel

/// The JSON values of an object, which are consecutive in the cache's bytes.
struct CachedText {
    /// The start of the first part.
    fileprivate(set) var offset = 0
    /// A short value that is not in the bytes.
    let short: ShortText
    /// Whether the text was shortened, because it was too long.
    let isShortened: Bool
    /// The start of the second part, behind the offset.
    private let secondOffset: UInt32
    /// The start of the third part, behind the offset.
    private let thirdOffset: UInt32
    /// All bytes that the cache holds for the object.
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

    /// All bytes that the cache holds for the object.
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
    var id: UInt64 { get }

    /// Appends the text of up to three parts, and returns their lengths.
    func render(into bytes: inout ByteBuffer, _ limits: RecordLimits) -> CachedText
}

/// The texts of the recently seen objects of one type: rendered once per object, found by its number.
///
/// An open hash table of indexes (linear probing, at most half full). An entry is never removed alone: ``forgetUnused()``
/// rebuilds the cache from the entries that were used, so that its size is bounded by the objects that one flush names.
struct TextCache<Source: TextSource>: ~Copyable {
    private struct Entry {
        let id: UInt64
        /// The round in which the entry was used last.
        var lastUse: UInt32
        var text: CachedText
    }

    /// The JSON values of all entries.
    private(set) var bytes = ByteBuffer()
    /// The number of objects whose text was shortened.
    private(set) var shortened: UInt64 = 0
    private var limits = RecordLimits()
    private var entries: [Entry] = []
    /// Index of an entry plus one, or 0; a power of two of them.
    private var slots = [UInt32](repeating: 0, count: 1024)
    private var turn: UInt32 = 0

    /// The number of cached objects.
    var count: Int { entries.count }

    /// The texts of the object with a number, or nil if they are not held; valid until ``forgetUnused()``.
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

    /// Renders an object that is not held; its texts are valid until ``forgetUnused()``.
    mutating func render(_ source: Source) -> CachedText {
        let offset = bytes.count
        var text = source.render(into: &bytes, limits)
        text.offset = offset
        if text.isShortened { shortened += 1 }
        insert(Entry(id: source.id, lastUse: turn, text: text))
        return text
    }

    /// Evicts entries that were not used since the last call; to be called once per flush.
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

    /// Makes an empty cache of texts within limits.
    init(_ limits: RecordLimits) {
        self.limits = limits
    }

    /// Takes the content of a cache, which is empty afterwards and in the same round.
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

    /// The slot where the search for a number begins (Fibonacci hashing: numbers in a row do not collide).
    private static func slot(of id: UInt64, among count: Int) -> Int {
        let mixed = id &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 32) & (count - 1)
    }
}
