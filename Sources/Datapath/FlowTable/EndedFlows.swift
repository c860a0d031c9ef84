import CWeir
import FlowModel

/// Remembers, for flows that ended recently, which end began the connection.
///
/// The datapath ends a flow after a time without packets, or when its packets close the connection. The connection may
/// continue nevertheless: after an hour without a packet, after a forged RST, or if the table has no room. Its later packets
/// show no opening; without this memory the flow would count as a connection whose beginning was not seen.
///
/// At most ``capacity`` flows are kept, under the hash of their keys (SipHash with the seed of this process). If there is no
/// room, the oldest flow of the interface with the most flows is evicted, so that no interface can displace the flows of
/// others. All operations are O(1), except for a periodic search over all interfaces.
package final class EndedFlows {
    /// The properties of a flow that ended.
    struct Past: Equatable {
        /// Whether the near end opened the connection; nil if the opening was not seen.
        var nearBegan: Bool?
        /// Whether a flow with the same key that shows no opening is the same connection, and not another one between
        /// the same ends.
        var isSameConnection: Bool
    }

    private struct Entry {
        var hash: UInt64
        /// The time of the flow's last packet, ms.
        var lastChange: UInt32
        /// The neighbours among the flows of the interface, by age; ``none`` at the ends.
        var older = EndedFlows.none
        var newer = EndedFlows.none
        var position: UInt16
        var isTCP: Bool
        var nearBegan: Bool?
    }

    /// The flows of one interface position.
    private struct Share {
        var oldest = EndedFlows.none
        var newest = EndedFlows.none
        var count = 0
    }

    /// The most flows that are kept: about 3 MB.
    static let capacity = 1 << 16
    /// The time without a packet after which a TCP connection is no longer the same, ms: keepalives come every two hours.
    static let limitForTCP: UInt32 = 24 * 3600 * 1000
    /// The same time for other protocols, ms; connection tracking forgets them after it (`nf_conntrack_udp_timeout_stream`).
    static let limit: UInt32 = 120_000

    private static let none = UInt32.max
    /// The evictions between two searches for the largest share.
    private static let evictionsPerSearch = 64

    private let capacity: Int
    private var index: [UInt64: UInt32] = [:]
    private var entries: [Entry] = []
    private var free: [UInt32] = []
    private var shares: [Share]
    private var largest = 0
    private var evictions = 0

    /// Makes an empty memory.
    package convenience init() {
        self.init(capacity: Self.capacity, positions: Int(WEIR_MAX_INTERFACES))
    }

    /// Makes an empty memory of another size.
    init(capacity: Int, positions: Int) {
        self.capacity = capacity
        shares = Array(repeating: Share(), count: positions)
    }

    /// The number of flows that are kept.
    var count: Int { index.count }

    /// Removes all flows.
    func removeAll() {
        (index, entries, free) = ([:], [], [])
        for position in shares.indices { shares[position] = Share() }
    }

    /// Notes that a flow ended.
    ///
    /// - Parameters:
    ///   - key: the flow.
    ///   - marks: the marks of its packets.
    ///   - isJoined: whether it was running before it was watched.
    ///   - position: the interface's.
    ///   - lastChange: the time of its last packet, ms.
    func note(_ key: FlowKey, marks: FlowMarks, isJoined: Bool, position: Int, lastChange: UInt32) {
        // An ICMP query itself shows which end began.
        guard key.proto != .icmp, key.proto != .icmp6 else { return }
        let isTCP = key.proto == .tcp
        // An answer that was seen alone may be forged.
        let isKnown = !marks.isLoneAnswer(of: key.proto)
        let seen = isKnown ? marks.nearOpened ?? (isJoined ? nil : !marks.contains(.firstEgress)) : nil
        let hash = UInt64(bitPattern: Int64(key.hashValue))
        if let known = index[hash] { remove(known) }
        if index.count >= capacity { evict() }
        let entry = Entry(
            hash: hash,
            lastChange: lastChange,
            position: UInt16(truncatingIfNeeded: position),
            isTCP: isTCP,
            nearBegan: seen
        )
        insert(entry, in: position)
    }

    /// Takes out the ended flow with this key.
    ///
    /// - Parameters:
    ///   - key: the flow that begins.
    ///   - marks: the marks of its packets; an opening is another connection.
    ///   - now: the time, ms.
    /// - Returns: nil if there is none, or if the new flow cannot belong to it.
    func take(_ key: FlowKey, marks: FlowMarks, now: UInt32) -> Past? {
        guard !index.isEmpty else { return nil }
        guard let number = index[UInt64(bitPattern: Int64(key.hashValue))] else { return nil }
        let entry = entries[Int(number)]
        remove(number)
        let age = now &- entry.lastChange
        guard marks.isDisjoint(with: .handshake), age <= (entry.isTCP ? Self.limitForTCP : Self.limit) else {
            return nil
        }
        if entry.isTCP, marks.isRefused { return nil }
        return Past(nearBegan: entry.nearBegan, isSameConnection: entry.isTCP)
    }
}

// MARK: - Shares

extension EndedFlows {
    private func insert(_ entry: Entry, in position: Int) {
        var entry = entry
        entry.older = shares[position].newest
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            entries[Int(number)] = entry
        } else {
            number = UInt32(entries.count)
            entries.append(entry)
        }
        index[entry.hash] = number
        if entry.older != Self.none {
            entries[Int(entry.older)].newer = number
        } else {
            shares[position].oldest = number
        }
        shares[position].newest = number
        shares[position].count += 1
        if shares[position].count > shares[largest].count { largest = position }
    }

    private func remove(_ number: UInt32) {
        let entry = entries[Int(number)]
        let position = Int(entry.position)
        if entry.older != Self.none {
            entries[Int(entry.older)].newer = entry.newer
        } else {
            shares[position].oldest = entry.newer
        }
        if entry.newer != Self.none {
            entries[Int(entry.newer)].older = entry.older
        } else {
            shares[position].newest = entry.older
        }
        shares[position].count -= 1
        index[entry.hash] = nil
        free.append(number)
    }

    /// Forgets the oldest flow of the largest share, or of one that was the largest ``evictionsPerSearch`` evictions ago.
    private func evict() {
        if evictions % Self.evictionsPerSearch == 0 || shares[largest].count == 0 {
            largest = shares.indices.max { shares[$0].count < shares[$1].count } ?? 0
        }
        evictions += 1
        remove(shares[largest].oldest)
    }
}
