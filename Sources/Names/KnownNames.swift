import FlowModel

/// The names that each client looked up for addresses.
struct KnownNames {
    private struct Place: Hashable {
        let client: DomainClient
        let address: IPAddress
    }

    private struct Entry {
        /// The names, with their expiry (CLOCK_MONOTONIC ns).
        var names: [(name: String, end: UInt64)] = []
        /// The last interval in which the names were added or used.
        var used: UInt32

        /// Extends the validity of a name; false if the entry does not contain it.
        mutating func extend(_ name: String, until end: UInt64) -> Bool {
            guard let known = names.firstIndex(where: { $0.name == name }) else { return false }
            names[known].end = max(names[known].end, end)
            return true
        }

        /// Adds a name; if the entry is full, removes and returns the name that expires first.
        mutating func add(_ name: String, until end: UInt64) -> String? {
            defer { names.append((name, end)) }
            guard names.count == KnownNames.namesLimit else { return nil }
            return names.indices.min { names[$0].end < names[$1].end }.map { names.remove(at: $0).name }
        }
    }

    /// The amount of memory that one client uses.
    private struct Share {
        var addresses = 0
        /// The bytes of its names.
        var bytes = 0
    }

    /// The shortest and the longest validity of a name, in ns.
    ///
    /// The shortest one exceeds many TTLs, because clients keep connecting to addresses for a while after the TTL.
    static let shortest: UInt64 = 60_000_000_000
    static let longest: UInt64 = 86_400_000_000_000
    /// The most names of one address for one client.
    static let namesLimit = 8
    /// The most addresses of one client, and of all clients.
    static let clientLimit = 4096
    static let limit = 1 << 16
    /// The most bytes of names of one client, and of all clients; one name may have a thousand.
    static let clientByteLimit = 1 << 20
    static let byteLimit = 1 << 24

    private var entries: [Place: Entry] = [:]
    private var shares: [DomainClient: Share] = [:]
    /// Clients that are gone since the interval began.
    private var gone: Set<DomainClient> = []
    /// The bytes of all names.
    private(set) var bytes = 0
    private var interval: UInt32 = 1
    /// Addresses and names that exceeded a limit.
    private(set) var refused: UInt64 = 0

    /// The number of pairs of client and address that have names.
    var count: Int { entries.count }

    /// Adds a name of an address for a client, or extends its validity.
    mutating func learn(
        _ name: String,
        of address: IPAddress,
        for client: DomainClient,
        ttl: UInt32,
        now: UInt64
    ) {
        if !gone.isEmpty, gone.remove(client) != nil { remove([client]) }
        let place = Place(client: client, address: address)
        let end = now + min(max(UInt64(ttl) * 1_000_000_000, Self.shortest), Self.longest)
        guard entries[place]?.extend(name, until: end) != true else {
            entries[place]?.used = interval
            return
        }
        let isNew = entries[place] == nil
        guard hasRoom(for: client, isNew: isNew, bytes: name.utf8.count) else {
            refused += 1
            return
        }
        var entry = entries.removeValue(forKey: place) ?? Entry(used: interval)
        entry.used = interval
        let former = entry.add(name, until: end)
        if former != nil { refused += 1 }
        entries[place] = entry
        charge(client, addresses: isNew ? 1 : 0, bytes: name.utf8.count - (former?.utf8.count ?? 0))
    }

    /// Whether a client may add a name; each client has a guaranteed share of the limits.
    private func hasRoom(for client: DomainClient, isNew: Bool, bytes needed: Int) -> Bool {
        let share = shares[client] ?? Share()
        let clients = max(1, shares.count)
        if isNew {
            guard share.addresses < Self.clientLimit,
                entries.count < Self.limit || share.addresses < Self.limit / clients
            else { return false }
        }
        let after = share.bytes + needed
        guard after <= Self.clientByteLimit else { return false }
        return bytes + needed <= Self.byteLimit || after <= Self.byteLimit / clients
    }

    private mutating func charge(_ client: DomainClient, addresses: Int, bytes change: Int) {
        var share = shares[client] ?? Share()
        share.addresses += addresses
        share.bytes += change
        bytes += change
        shares[client] = share.addresses > 0 ? share : nil
    }

    /// The names that a client looked up for an address; marks them as used in this interval.
    mutating func names(of address: IPAddress, for client: DomainClient) -> [String] {
        guard !entries.isEmpty else { return [] }
        let place = Place(client: client, address: address)
        guard let entry = entries[place] else { return [] }
        if entry.used != interval { entries[place]?.used = interval }
        return entry.names.map(\.name)
    }

    /// Removes clients that are gone at the end of the interval, or before another one gets a name as the same client.
    mutating func forget(_ clients: Set<DomainClient>) {
        gone.formUnion(clients.filter { shares[$0] != nil })
    }

    private mutating func remove(_ clients: Set<DomainClient>) {
        for (place, entry) in entries.filter({ clients.contains($0.key.client) }) {
            entries[place] = nil
            charge(place.client, addresses: -1, bytes: -entry.names.reduce(0) { $0 + $1.name.utf8.count })
        }
    }

    /// Removes expired names that no flow of the interval used, and begins the next interval.
    mutating func endInterval(now: UInt64) {
        let current = interval
        interval &+= 1
        if !gone.isEmpty {
            remove(gone)
            gone = []
        }
        let expired = entries.filter { $1.used != current && $1.names.contains { $0.end <= now } }
        for (place, entry) in expired {
            let names = entry.names.filter { $0.end > now }
            let forgotten = entry.names.lazy.filter { $0.end <= now }.reduce(0) { $0 + $1.name.utf8.count }
            entries[place]?.names = names
            if names.isEmpty { entries[place] = nil }
            charge(place.client, addresses: names.isEmpty ? -1 : 0, bytes: -forgotten)
        }
    }
}
