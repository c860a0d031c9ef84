import FlowModel

/// What an endpoint says of itself, as JSON values that lie one behind the other in the cache's bytes.
struct EndpointText {
    /// The endpoint's number.
    let id: UInt32
    /// Where the full name begins.
    let offset: Int
    /// Bytes of the full name with quotes.
    let nameCount: Int
    /// Bytes of the aggregated name with quotes, which follows the full one.
    let aggregatedNameCount: Int
    /// Bytes of the namespace with quotes, which follows the aggregated name.
    let namespaceCount: Int
    /// Bytes of the labels' object or null, which follow the namespace.
    let labelsCount: Int
    /// The kind with quotes.
    let kind: ShortText

    /// All bytes that the cache holds for the endpoint.
    var count: Int { nameCount + aggregatedNameCount + namespaceCount + labelsCount }
}

/// The texts of the endpoints seen lately: rendered once per endpoint, found by its number.
///
/// An open hash table of indexes (linear probing, at most half full). An entry is never removed alone:
/// ``forgetUnused()`` builds the cache anew from those that were used, so that what it holds is bounded by what one
/// flush names.
struct EndpointTextCache: ~Copyable {
    /// The JSON values of all entries.
    private(set) var bytes = ByteBuffer()
    private var entries: [EndpointText] = []
    /// The turn in which an entry was used last, by entry.
    private var lastUse: [UInt32] = []
    /// Index of an entry plus one, or 0; a power of two of them.
    private var slots = [UInt32](repeating: 0, count: 1024)
    private var turn: UInt32 = 0

    /// How many endpoints it holds.
    var count: Int { entries.count }

    /// The texts of an endpoint, rendered now if they are not held; valid until ``forgetUnused()``.
    mutating func text(of endpoint: Endpoint) -> EndpointText {
        var slot = Self.slot(of: endpoint.id, among: slots.count)
        while slots[slot] != 0 {
            let index = Int(slots[slot] - 1)
            if entries[index].id == endpoint.id {
                lastUse[index] = turn
                return entries[index]
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return render(endpoint)
    }

    /// Evicts what was not used since the last call; to be called once per flush.
    mutating func forgetUnused() {
        let ended = turn
        turn &+= 1
        guard lastUse.contains(where: { $0 != ended }) else { return }
        let old = EndpointTextCache(replacing: &self)
        for index in old.entries.indices where old.lastUse[index] == ended {
            let entry = old.entries[index]
            let offset = bytes.count
            bytes.append(old.bytes, from: entry.offset, count: entry.count)
            insert(entry.moved(to: offset), used: ended)
        }
    }

    /// Makes an empty cache.
    init() {}

    /// Takes the content of a cache, which is empty afterwards and in the same turn.
    private init(replacing other: inout EndpointTextCache) {
        let turn = other.turn
        self = other
        other = EndpointTextCache()
        other.turn = turn
    }
}

// MARK: - Entries

extension EndpointTextCache {
    private mutating func render(_ endpoint: Endpoint) -> EndpointText {
        let offset = bytes.count
        bytes.appendJSON(endpoint.kind == .network ? "-" : endpoint.name)
        let nameEnd = bytes.count
        bytes.appendJSON(endpoint.aggregatedName)
        let aggregatedNameEnd = bytes.count
        bytes.appendJSON(endpoint.namespace ?? "-")
        let namespaceEnd = bytes.count
        bytes.appendJSON(labels: endpoint.labels)
        let entry = EndpointText(
            id: endpoint.id,
            offset: offset,
            nameCount: nameEnd - offset,
            aggregatedNameCount: aggregatedNameEnd - nameEnd,
            namespaceCount: namespaceEnd - aggregatedNameEnd,
            labelsCount: bytes.count - namespaceEnd,
            kind: ShortText("\"\(endpoint.kind.rawValue)\"")
        )
        insert(entry, used: turn)
        return entry
    }

    private mutating func insert(_ entry: EndpointText, used: UInt32) {
        entries.append(entry)
        lastUse.append(used)
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
    private static func slot(of id: UInt32, among count: Int) -> Int {
        let mixed = UInt64(id) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 32) & (count - 1)
    }
}

extension EndpointText {
    fileprivate func moved(to offset: Int) -> EndpointText {
        EndpointText(
            id: id,
            offset: offset,
            nameCount: nameCount,
            aggregatedNameCount: aggregatedNameCount,
            namespaceCount: namespaceCount,
            labelsCount: labelsCount,
            kind: kind
        )
    }
}
