import FlowModel

/// The traffic and losses of interfaces that are not watched any more.
///
/// The newest are kept one by one; older ones are added up in one account, so that memory does not grow on a machine whose pods
/// come and go.
struct PastAccounts {
    /// Accounts that are kept one by one, the oldest first.
    private var accounts: [InterfaceAccount] = []
    /// The sum of older accounts; nil if there are none.
    private var older: InterfaceAccount?
    private var drops: [DropKey: UInt64] = [:]
    private var reasons: [ObjectIdentifier: DropReason] = [:]
    /// Dropped packets whose headers could not be read.
    private(set) var unparsedDrops: UInt64 = 0

    private struct DropKey: Hashable {
        let interface: String
        let reason: ObjectIdentifier
    }

    private let limit: Int

    /// The number of accounts, and of interfaces' names in the counts of drops, that are kept one by one.
    static let limit = 1024
    /// The name of the sum of older interfaces.
    static let olderName = "past interfaces"

    /// Keeps `limit` accounts one by one.
    init(limit: Int = limit) {
        self.limit = limit
    }

    /// The accounts: those that are kept one by one, and the sum of older ones.
    var all: [InterfaceAccount] { accounts + (older.map { [$0] } ?? []) }

    /// Takes the closed account of an interface.
    mutating func add(_ account: InterfaceAccount) {
        accounts.append(account)
        // Folds a quarter of them at once, so that not every new account moves the others.
        guard accounts.count > limit else { return }
        let count = max(1, limit / 4)
        for account in accounts.prefix(count) { fold(account) }
        accounts.removeFirst(count)
        let kept = Set(accounts.map(\.name))
        for (key, packets) in drops where !kept.contains(key.interface) && key.interface != Self.olderName {
            drops[key] = nil
            drops[DropKey(interface: Self.olderName, reason: key.reason), default: 0] += packets
        }
    }

    private mutating func fold(_ account: InterfaceAccount) {
        var sum =
            older
            ?? InterfaceAccount(
                name: Self.olderName,
                index: 0,
                role: account.role,
                ingress: DirectionAccount(),
                egress: DirectionAccount(),
                interfaces: 0
            )
        sum.ingress += account.ingress
        sum.egress += account.egress
        sum.interfaces += 1
        if !account.isBalanced { sum.unbalanced += 1 }
        older = sum
    }

    // MARK: Drops

    /// Adds the drops of an interface.
    mutating func addDrops(of interface: String, _ counts: [(reason: DropReason, packets: UInt64)], unparsed: UInt64) {
        for (reason, packets) in counts {
            let identifier = ObjectIdentifier(reason)
            reasons[identifier] = reason
            drops[DropKey(interface: interface, reason: identifier), default: 0] += packets
        }
        unparsedDrops += unparsed
    }

    /// Returns all drops, with those of present interfaces, in no order.
    func drops(with present: [(interface: String, counts: [(reason: DropReason, packets: UInt64)])]) -> [DroppedPackets]
    {
        var sums = self
        for (interface, counts) in present { sums.addDrops(of: interface, counts, unparsed: 0) }
        return sums.drops.compactMap { key, packets in
            sums.reasons[key.reason].map { DroppedPackets(interface: key.interface, reason: $0, packets: packets) }
        }
    }
}
