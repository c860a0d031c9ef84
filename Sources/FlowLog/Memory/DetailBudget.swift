import FlowModel

/// Divides the memory for flows between the interfaces at which they are seen.
///
/// An interface may use as much as is free (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
/// switches", IEEE/ACM Transactions on Networking 6 (2), 1998): one flooding interface gets half of the memory, two get two
/// thirds, and a quiet interface finds free memory at once. A part of the memory is reserved for that: each interface with
/// flows may use an equal share of it, regardless of the use of others and of the current limit. The use of an interface is the
/// sum of its flows' costs when they began; free memory is measured.
struct DetailBudget {
    /// The detail in which a new flow is recorded.
    enum Detail {
        /// The detail of the configured level.
        case full
        /// Records without addresses and full names, whatever the level.
        case coarse
        /// The flow is counted in the remainder of its endpoint.
        case none
    }

    private struct Share {
        var interfaceIndex: UInt32
        var bytes = 0
    }

    /// The number of bytes that may be in use; without a limit, everything is recorded in full detail.
    var limit: Int?
    /// The number of bytes that are first divided equally among interfaces; a quarter of the limit by default.
    var reserve: Int
    /// The number of shares with a charge.
    private var activeShares = 0
    private var shares: [Share] = [Share(interfaceIndex: 0)]
    private var byInterface: [UInt32: UInt16] = [0: 0]
    /// The result of the last request: flows of an interface often follow each other.
    private var last: (interfaceIndex: UInt32, share: UInt16) = (0, 0)
    /// The number of bytes that are charged to all shares.
    private(set) var charged = 0

    /// The maximum number of separate shares; further interfaces have one in common.
    private static let shareLimit = 1 << 14

    /// Creates a budget with a limit.
    init(limit: Int?) {
        self.limit = limit
        reserve = (limit ?? 0) / 4
    }

    /// The number of bytes that an interface may always use.
    private var floor: Int { reserve / max(activeShares, 1) }

    /// Returns the number of an interface's share, valid as long as it has a charge, or until the next request.
    mutating func share(of interfaceIndex: UInt32) -> UInt16 {
        if last.interfaceIndex == interfaceIndex { return last.share }
        if let known = byInterface[interfaceIndex] {
            last = (interfaceIndex, known)
            return known
        }
        if shares.count == Self.shareLimit { forgetUnused() }
        guard shares.count < Self.shareLimit else { return 0 }
        let share = UInt16(shares.count)
        shares.append(Share(interfaceIndex: interfaceIndex))
        byInterface[interfaceIndex] = share
        return share
    }

    /// Returns the interface of a share.
    func interfaceIndex(of share: UInt16) -> UInt32 {
        shares[Int(share)].interfaceIndex
    }

    /// Returns the bytes that are charged to a share.
    func bytes(of share: UInt16) -> Int {
        shares[Int(share)].bytes
    }

    /// Returns the detail for the next flow of an interface.
    ///
    /// - Parameters:
    ///   - share: the interface's share.
    ///   - used: the number of bytes in use, if it is more than all charges.
    /// - Returns: the detail; the more the interface uses, the less detail.
    func detail(for share: UInt16, used: @autoclosure () -> Int) -> Detail {
        guard let limit else { return .full }
        let bytes = shares[Int(share)].bytes
        if bytes <= floor { return .full }
        let free = max(limit - max(used(), charged), 0)
        // The reserve is for interfaces below their floor.
        if bytes >= free || free <= reserve { return .none }
        return bytes >= free / 2 ? .coarse : .full
    }

    /// Charges bytes to a share.
    mutating func charge(_ bytes: Int, to share: UInt16) {
        if shares[Int(share)].bytes == 0, bytes > 0 { activeShares += 1 }
        shares[Int(share)].bytes += bytes
        charged += bytes
    }

    /// Releases bytes that were charged.
    mutating func release(_ bytes: Int, from share: UInt16) {
        shares[Int(share)].bytes -= bytes
        if shares[Int(share)].bytes == 0, bytes > 0 { activeShares -= 1 }
        charged -= bytes
    }

    /// Removes the last shares, as long as they have no charge.
    private mutating func forgetUnused() {
        last = (0, 0)
        while let last = shares.last, last.bytes == 0, shares.count > 1 {
            byInterface[last.interfaceIndex] = nil
            shares.removeLast()
        }
    }
}

/// The memory of each kept value, in bytes, with its part of indexes and lists, and of the memory for a flush.
enum DetailCost {
    /// A flow that is or was active in the interval.
    static let flow = 56
    /// An end of a flow.
    static let endpoint = 68
    /// A group, and its record.
    static let group = 148
    /// Socket statistics of a group: key, value and the free part of the dictionary, and a few processes.
    static let sockets = MemoryLayout<SocketSummary>.stride * 2 + 128
    /// The process of a flow, where records are divided by processes.
    static let process = 40
    /// A row of a group, with a few processes.
    static let processRow = 512
    /// The identity of an endpoint, a service or policies.
    static let identity = 256
    /// A flow with denied packets.
    static let denied = MemoryLayout<DeniedFlow>.stride + 8
    /// Statistics of a socket that wait for a record.
    static let owed = MemoryLayout<FlowSocket>.stride * 2
    /// A flow that is held back.
    static let held = MemoryLayout<HeldFlow>.stride + 8
    /// A flow that is not reported.
    static let waiting = MemoryLayout<Conversation>.stride + 28
}
