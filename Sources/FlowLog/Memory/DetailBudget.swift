import FlowModel

/// Divides the memory for flows between the interfaces that they are seen on.
///
/// An interface may use as much as is free (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
/// switches", IEEE/ACM Transactions on Networking 6 (2), 1998): one that floods gets half of all memory, two get two thirds,
/// and one that was quiet finds room at once. A part of the memory is kept for that: each interface that has flows may use an
/// equal part of it, whatever others use and however low the limit has become. The use of an interface is the sum of its flows'
/// costs when they began; free memory is counted.
struct DetailBudget {
    /// The detail that is kept of a new flow.
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

    /// The bytes that may be in use; without a limit everything is kept in full.
    var limit: Int?
    /// The bytes that are divided equally among interfaces first; a quarter of the limit by default.
    var reserve: Int
    /// Shares to which something is charged.
    private var activeShares = 0
    private var shares: [Share] = [Share(interfaceIndex: 0)]
    private var byInterface: [UInt32: UInt16] = [0: 0]
    /// The last request: flows come by interface.
    private var last: (interfaceIndex: UInt32, share: UInt16) = (0, 0)
    /// The bytes that are charged to all shares.
    private(set) var charged = 0

    /// The most separate shares; further interfaces have one in common.
    private static let shareLimit = 1 << 14

    /// Divides a number of bytes.
    init(limit: Int?) {
        self.limit = limit
        reserve = (limit ?? 0) / 4
    }

    /// The bytes that an interface may use before others are considered.
    private var floor: Int { reserve / max(activeShares, 1) }

    /// The number of an interface's share, valid for as long as anything is charged to it, and until the next is asked for.
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

    /// The interface that a share is of.
    func interfaceIndex(of share: UInt16) -> UInt32 {
        shares[Int(share)].interfaceIndex
    }

    /// Returns the bytes that are charged to a share.
    func bytes(of share: UInt16) -> Int {
        shares[Int(share)].bytes
    }

    /// Returns the detail to keep of the next flow of an interface.
    ///
    /// - Parameters:
    ///   - share: its share.
    ///   - used: the bytes that are counted to be in use, if those are more than what is charged.
    /// - Returns: the less detail, the more the interface uses.
    func detail(for share: UInt16, used: @autoclosure () -> Int) -> Detail {
        guard let limit else { return .full }
        let bytes = shares[Int(share)].bytes
        if bytes <= floor { return .full }
        let free = max(limit - max(used(), charged), 0)
        // The last quarter is for interfaces below their floor.
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

    /// Removes the last shares that have nothing charged.
    private mutating func forgetUnused() {
        last = (0, 0)
        while let last = shares.last, last.bytes == 0, shares.count > 1 {
            byInterface[last.interfaceIndex] = nil
            shares.removeLast()
        }
    }
}

/// The memory of each kept value, in bytes, including its part of indexes, lists and the memory of a flush.
enum DetailCost {
    /// A flow that is or was active in the interval.
    static let flow = 56
    /// An end of a flow.
    static let endpoint = 68
    /// A group, and so a record.
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
    /// A flow that is held back.
    static let held = MemoryLayout<HeldFlow>.stride + 8
    /// A flow that is not reported.
    static let waiting = MemoryLayout<Conversation>.stride + 28
}
