import FlowModel

/// Queries that wait for their responses.
///
/// A response counts only if the same client sent the query on the same interface moments before; other packets from port
/// 53 are ignored. All interfaces of the host count as one: a response may arrive through another one than the query left by.
struct PendingQueries {
    private struct Key: Hashable {
        /// The interface of a workload; 0 for the host.
        let interface: UInt32
        let client: IPAddress
        let port: UInt16
        let server: IPAddress
        let id: UInt16
        /// A hash with a random key instead of the text, which may have a thousand bytes.
        let question: Int

        init(_ packet: DNSPacket, _ message: DNSMessage) {
            interface = packet.isHost ? 0 : packet.interfaceIndex
            client = packet.client
            port = packet.clientPort
            server = packet.server
            id = message.id
            question = message.question.hashValue
        }
    }

    /// The longest time until a response, in ns: resolvers give up or retry after 5 s.
    static let lifetime: UInt64 = 10_000_000_000
    /// The maximum number of queries of one interface, and the number of all queries from which interfaces get equal shares.
    static let interfaceLimit = 1024
    static let limit = 1 << 15

    private var times: [Key: UInt64] = [:]
    /// Keys by age; entries before `first` are obsolete.
    private var order: [(key: Key, time: UInt64)] = []
    private var first = 0
    private var counts: [UInt32: Int] = [:]
    /// The number of queries that exceeded a limit.
    private(set) var refused: UInt64 = 0

    /// The number of queries that wait.
    var count: Int { times.count }
    /// The number of entries in `order`, including queries that no longer wait.
    var remembered: Int { order.count }

    /// Records a query; a repeated query keeps the time of the first one.
    mutating func ask(_ packet: DNSPacket, _ message: DNSMessage) {
        forget(before: packet.time)
        let key = Key(packet, message)
        guard times[key] == nil else { return }
        guard hasRoom(for: key.interface) else {
            refused += 1
            return
        }
        times[key] = packet.time
        counts[key.interface, default: 0] += 1
        order.append((key, packet.time))
        // Removes the entries of answered queries once they are the majority.
        guard order.count > 2 * max(Self.interfaceLimit, times.count) else { return }
        order = order[first...].filter { times[$0.key] == $0.time }
        first = 0
    }

    /// Whether an interface may add a query; each interface is guaranteed an equal share of the limit.
    private func hasRoom(for interface: UInt32) -> Bool {
        let own = counts[interface, default: 0]
        let interfaces = counts.count + (own == 0 ? 1 : 0)
        return own < Self.interfaceLimit && (times.count < Self.limit || own < Self.limit / interfaces)
    }

    /// Removes the query of a response, and returns the time between them, ns; nil if there is no such query.
    ///
    /// Each query accepts one response.
    mutating func answer(_ packet: DNSPacket, _ message: DNSMessage) -> UInt64? {
        forget(before: packet.time)
        let key = Key(packet, message)
        // Several CPUs may deliver two packets in the wrong order; a response before its query does not count.
        guard let time = times[key], packet.time >= time else { return nil }
        remove(key)
        return packet.time - time
    }

    /// Removes queries that are too old at a time in CLOCK_MONOTONIC ns.
    mutating func forget(before now: UInt64) {
        while first < order.count, order[first].time + Self.lifetime < now {
            let (key, time) = order[first]
            if times[key] == time { remove(key) }
            first += 1
        }
        guard first > 1024, first * 2 > order.count else { return }
        order.removeFirst(first)
        first = 0
    }

    /// Removes the queries of interfaces that are gone.
    mutating func forget(interfaces: Set<UInt32>) {
        guard interfaces.contains(where: { counts[$0] != nil }) else { return }
        for key in times.keys.filter({ interfaces.contains($0.interface) }) { remove(key) }
    }

    private mutating func remove(_ key: Key) {
        guard times.removeValue(forKey: key) != nil, let count = counts[key.interface] else { return }
        counts[key.interface] = count > 1 ? count - 1 : nil
    }
}
