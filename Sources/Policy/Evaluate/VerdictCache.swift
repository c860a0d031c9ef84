/// The inputs that determine a verdict.
struct VerdictKey: Sendable, Equatable {
    /// The number of the source's identity; 0 for none.
    var source: UInt64
    /// The number of the destination's identity; 0 for none.
    var destination: UInt64
    /// The address classes; the source's in the upper half.
    var classes: UInt64
    /// The sets of services; the source's in the upper half.
    var services: UInt64
    /// Bits 0 to 15: destination port, or ICMP type and code; 16 to 31: source port, if a rule tests it; 32 to 39:
    /// protocol; bit 40: IPv4; bit 41: the source port is part of the key; 42 to 63: ``DomainSets``.
    var packet: UInt64

    /// The flag for keys with a source port.
    static let withSourcePort = UInt64(1) << 41
}

/// A cache with a fixed number of verdicts; each key has two possible slots.
struct VerdictCache: Sendable {
    /// A verdict as numbers of traces; 0 for none.
    struct Verdict: Sendable {
        /// The trace at the source.
        var egress: UInt32
        /// The trace at the destination.
        var ingress: UInt32

        /// A marker: the verdict depends on the source port, so the key with the source port must be looked up.
        static let needsSourcePort = Verdict(egress: .max, ingress: .max)

        /// Whether it is ``needsSourcePort``.
        var isNeedsSourcePort: Bool { egress == .max }
    }

    private struct Entry: Sendable {
        var key = VerdictKey(source: 0, destination: 0, classes: 0, services: 0, packet: 0)
        /// The generation of the snapshot that produced the verdict; 0 for an empty slot.
        var generation: UInt64 = 0
        var verdict = Verdict(egress: 0, ingress: 0)
    }

    /// The number of verdicts; a power of two.
    ///
    /// Each entry has 56 bytes.
    static let capacity = 1 << 16

    private var entries: [Entry] = []

    /// The verdict, if it is cached.
    func verdict(_ key: VerdictKey, _ generation: UInt64) -> Verdict? {
        guard !entries.isEmpty else { return nil }
        let place = Self.place(key)
        let first = entries[place]
        if first.generation == generation, first.key == key { return first.verdict }
        let second = entries[place ^ 1]
        if second.generation == generation, second.key == key { return second.verdict }
        return nil
    }

    /// Caches a verdict; may replace an older one.
    mutating func insert(_ key: VerdictKey, _ generation: UInt64, _ verdict: Verdict) {
        if entries.isEmpty { entries = Array(repeating: Entry(), count: Self.capacity) }
        let place = Self.place(key)
        if entries[place].generation == generation { entries[place ^ 1] = entries[place] }
        entries[place] = Entry(key: key, generation: generation, verdict: verdict)
    }

    /// Removes all entries.
    mutating func removeAll() {
        entries = []
    }

    private static func place(_ key: VerdictKey) -> Int {
        var hash = key.source &* 0x9e37_79b9_7f4a_7c15
        hash = (hash ^ hash >> 31 ^ key.destination) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 29 ^ key.classes) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 32 ^ key.packet) &* 0x94d0_49bb_1331_11eb
        hash = (hash ^ hash >> 29 ^ key.services) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: hash >> 40) & (capacity - 1)
    }
}
