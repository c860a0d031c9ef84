import FlowModel

/// The rules that log prefixes stand for, by the bytes of the prefix: one object for each prefix.
///
/// The meaning of a prefix is looked up once. Packets have few different prefixes, one for each rule; if there are more than
/// fit, all are discarded and looked up again.
struct VerdictLogRules {
    private struct Entry {
        let prefix: [UInt8]
        let rule: LoggedRule?
    }

    private let capacity: Int
    private let meaning: (String) -> LoggedRule?
    private var entries: [Entry] = []
    /// Indices of entries by hash of their prefix, or the next free number behind it.
    private var places: [UInt64: Int] = [:]

    /// The number of prefixes without a meaning that were looked up.
    private(set) var unknownPrefixes: UInt64 = 0

    /// Takes the most prefixes that are kept at a time, and a function that returns the rule of a prefix.
    init(capacity: Int, meaning: @escaping (String) -> LoggedRule?) {
        self.capacity = capacity
        self.meaning = meaning
    }

    /// The rule that a prefix stands for; nil if it stands for no verdict.
    mutating func rule(_ bytes: NetlinkBytes, _ prefix: Range<Int>) -> LoggedRule? {
        var place = Self.hash(bytes, prefix)
        while let index = places[place] {
            if Self.isEqual(entries[index].prefix, bytes, prefix) { return entries[index].rule }
            place &+= 1
        }
        if entries.count >= capacity {
            entries.removeAll()
            places.removeAll()
            place = Self.hash(bytes, prefix)
        }
        return learn(bytes, prefix, at: place)
    }

    private mutating func learn(_ bytes: NetlinkBytes, _ prefix: Range<Int>, at place: UInt64) -> LoggedRule? {
        let entry = Entry(
            prefix: prefix.compactMap { bytes.load(UInt8.self, at: $0) },
            rule: meaning(bytes.text(prefix))
        )
        if entry.rule == nil { unknownPrefixes += 1 }
        places[place] = entries.count
        entries.append(entry)
        return entry.rule
    }

    /// FNV-1a, 64 bits: only an administrator sets prefixes, so collisions are not provoked.
    private static func hash(_ bytes: NetlinkBytes, _ range: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for offset in range {
            hash = (hash ^ UInt64(bytes.load(UInt8.self, at: offset) ?? 0)) &* 0x100_0000_01b3
        }
        return hash
    }

    private static func isEqual(_ prefix: [UInt8], _ bytes: NetlinkBytes, _ range: Range<Int>) -> Bool {
        guard prefix.count == range.count else { return false }
        for (index, byte) in prefix.enumerated() where bytes.load(UInt8.self, at: range.lowerBound + index) != byte {
            return false
        }
        return true
    }
}
