/// Remembers which selectors hold for something: two bits each, in words of 64 selectors that are made when first needed.
struct SelectorMemo: Sendable {
    /// For each 64 selectors where their two words are, from 1; 0 if they have none.
    private var places: [UInt16] = []
    /// Pairs of words: which are known, and which of these hold.
    private var words: [UInt64] = []

    /// How much memory it has, in bytes.
    var size: Int { places.capacity * 2 + words.capacity * 8 }

    /// Whether a selector holds; nil if that is not known.
    func value(_ selector: UInt32) -> Bool? {
        let group = Int(selector >> 6)
        guard group < places.count, places[group] != 0 else { return nil }
        let place = Int(places[group]) * 2 - 2
        let bit = UInt64(1) << UInt64(selector & 63)
        guard words[place] & bit != 0 else { return nil }
        return words[place + 1] & bit != 0
    }

    /// Remembers whether a selector holds; beyond four million selectors it does not.
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
