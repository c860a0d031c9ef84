/// Caches the results of selectors: two bits for each selector, in words of 64 selectors that are allocated on first use.
struct SelectorMemo: Sendable {
    /// For each group of 64 selectors, the index of its two words, from 1; 0 if they are not allocated.
    private var places: [UInt16] = []
    /// Pairs of words: a bit set of cached results, and the results.
    private var words: [UInt64] = []

    /// The memory size in bytes.
    var size: Int { places.capacity * 2 + words.capacity * 8 }

    /// Whether a selector matches; nil if the result is not cached.
    func value(_ selector: UInt32) -> Bool? {
        let group = Int(selector >> 6)
        guard group < places.count, places[group] != 0 else { return nil }
        let place = Int(places[group]) * 2 - 2
        let bit = UInt64(1) << UInt64(selector & 63)
        guard words[place] & bit != 0 else { return nil }
        return words[place + 1] & bit != 0
    }

    /// Caches the result of a selector; ignores selectors with a number above four million.
    mutating func set(_ selector: UInt32, _ holds: Bool) {
        let group = Int(selector >> 6)
        guard group < Int(UInt16.max) else { return }
        while places.count <= group { places.append(0) }
        if places[group] == 0 {
            words += [0, 0]
            places[group] = UInt16(words.count / 2)
        }
        let place = Int(places[group]) * 2 - 2
        let bit = UInt64(1) << UInt64(selector & 63)
        words[place] |= bit
        if holds { words[place + 1] |= bit }
    }
}
