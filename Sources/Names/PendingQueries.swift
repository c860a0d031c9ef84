import FlowModel

/// Questions that wait for their answers.
///
/// An answer counts only for a question that its client asked, on its own interface, moments ago: other packets from port 53
/// are ignored.
struct PendingQueries {
    private struct Key: Hashable {
        let interface: UInt32
        let client: IPAddress
        let port: UInt16
        let server: IPAddress
        let id: UInt16
        let question: DNSMessage.Question

        init(_ packet: DNSPacket, _ message: DNSMessage) {
            interface = packet.interfaceIndex
            client = packet.client
            port = packet.clientPort
            server = packet.server
            id = message.id
            question = message.question
        }
    }

    /// The longest time until an answer, ns: resolvers give up after 5 s, or begin anew.
    static let lifetime: UInt64 = 10_000_000_000
    /// Questions of one interface, and of all.
    static let interfaceLimit = 1024
    static let limit = 1 << 15

    private var times: [Key: UInt64] = [:]
    /// Keys by age, and the first that is still of interest.
    private var order: [(key: Key, time: UInt64)] = []
    private var first = 0
    private var counts: [UInt32: Int] = [:]
    /// Questions that found no room.
    private(set) var refused: UInt64 = 0

    /// The number of queries that wait.
    var count: Int { times.count }
    /// The number of remembered questions, including those that no longer wait.
    var remembered: Int { order.count }

    /// Notes a question; one that is asked again is as old as it was first.
    mutating func ask(_ packet: DNSPacket, _ message: DNSMessage) {
        forget(before: packet.time)
        let key = Key(packet, message)
        guard times[key] == nil else { return }
        guard times.count < Self.limit, counts[key.interface, default: 0] < Self.interfaceLimit else {
            refused += 1
            return
        }
        times[key] = packet.time
        counts[key.interface, default: 0] += 1
        order.append((key, packet.time))
        // Those that were answered wait for nothing more.
        guard order.count > 2 * max(Self.interfaceLimit, times.count) else { return }
        order = order[first...].filter { times[$0.key] == $0.time }
        first = 0
    }

    /// The time since an answer's question, ns; nil if there was none.
    ///
    /// Each question is answered once.
    mutating func answer(_ packet: DNSPacket, _ message: DNSMessage) -> UInt64? {
        forget(before: packet.time)
        let key = Key(packet, message)
        // CPUs may hand on two packets the other way round; an answer before its question is none all the same.
        guard let time = times[key], packet.time >= time else { return nil }
        remove(key)
        return packet.time - time
    }

    /// Forgets what is too old at a time, CLOCK_MONOTONIC ns.
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

    private mutating func remove(_ key: Key) {
        guard times.removeValue(forKey: key) != nil, let count = counts[key.interface] else { return }
        counts[key.interface] = count > 1 ? count - 1 : nil
    }
}
