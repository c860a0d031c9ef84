import FlowModel

/// The names by which clients know addresses.
struct KnownNames {
    private struct Place: Hashable {
        let client: DomainClient
        let address: IPAddress
    }

    private struct Entry {
        /// Names, with when they expire (CLOCK_MONOTONIC ns).
        var names: [(name: String, end: UInt64)] = []
        /// The last interval in which a flow used them.
        var used: UInt32

        /// Adds a name, or keeps it longer; whether another one made room for it, the one that expires first.
        mutating func learn(_ name: String, until end: UInt64) -> Bool {
            if let known = names.firstIndex(where: { $0.name == name }) {
                names[known].end = max(names[known].end, end)
                return false
            }
            let isFull = names.count == KnownNames.namesLimit
            if isFull, let oldest = names.indices.min(by: { names[$0].end < names[$1].end }) {
                names.remove(at: oldest)
            }
            names.append((name, end))
            return isFull
        }
    }

    /// The shortest and the longest validity of a name, ns.
    ///
    /// Clients keep connecting for a while to what they once looked up, whatever its TTL.
    static let shortest: UInt64 = 60_000_000_000
    static let longest: UInt64 = 86_400_000_000_000
    /// Names that one client has looked up for an address.
    static let namesLimit = 8
    /// Addresses that one client has looked up, and all of them.
    static let clientLimit = 4096
    static let limit = 1 << 16

    private var entries: [Place: Entry] = [:]
    private var counts: [DomainClient: Int] = [:]
    private var interval: UInt32 = 1
    /// Addresses and names that found no room.
    private(set) var refused: UInt64 = 0

    /// The number of pairs of client and address that have names.
    var count: Int { entries.count }

    /// Learns a name.
    mutating func learn(
        _ name: String,
        of address: IPAddress,
        for client: DomainClient,
        ttl: UInt32,
        now: UInt64
    ) {
        let place = Place(client: client, address: address)
        let end = now + min(max(UInt64(ttl) * 1_000_000_000, Self.shortest), Self.longest)
        if entries[place] == nil {
            guard hasRoom(for: client) else {
                refused += 1
                return
            }
            counts[client, default: 0] += 1
        }
        var entry = entries.removeValue(forKey: place) ?? Entry(used: interval)
        entry.used = interval
        if entry.learn(name, until: end) { refused += 1 }
        entries[place] = entry
    }

    /// A client has its part of the room, whatever others do.
    private func hasRoom(for client: DomainClient) -> Bool {
        let count = counts[client, default: 0]
        guard count < Self.clientLimit else { return false }
        return entries.count < Self.limit || count < Self.limit / max(1, counts.count)
    }

    /// The names that a client has looked up for an address; keeps them until the next interval has ended.
    mutating func names(of address: IPAddress, for client: DomainClient) -> [String] {
        guard !entries.isEmpty else { return [] }
        let place = Place(client: client, address: address)
        guard let entry = entries[place] else { return [] }
        if entry.used != interval { entries[place]?.used = interval }
        return entry.names.map(\.name)
    }

    /// Forgets names that have expired and that no flow of the interval used, and begins the next interval.
    mutating func endInterval(now: UInt64) {
        let current = interval
        interval &+= 1
        let expired = entries.filter { $1.used != current && $1.names.contains { $0.end <= now } }
        for (place, entry) in expired {
            let names = entry.names.filter { $0.end > now }
            entries[place]?.names = names
            guard names.isEmpty else { continue }
            entries[place] = nil
            let count = counts[place.client, default: 1]
            counts[place.client] = count > 1 ? count - 1 : nil
        }
    }
}
