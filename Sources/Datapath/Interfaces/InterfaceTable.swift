import CWeir
import FlowModel

/// The interface table and the accounts in it, in memory shared with the programs.
///
/// `@safe`: positions come from ``add(_:)``; the maps live as long as the table.
@safe
package struct InterfaceTable: ~Copyable {
    /// The interfaces' shares.
    package let shares: InterfaceShares
    /// The accounts: two for each CPU of a position, ingress and egress.
    private let accounts: MappedMap<weir_account>
    private let cpus: Int
    private let isPreemptible: Bool

    init(_ maps: TableMaps) throws(DatapathError) {
        let cpus = Int(maps.configuration.cpus)
        // Mapped piece by piece: on machines with many CPUs most of it is never used.
        let accounts: MappedMap<weir_account> = try maps.mapped(
            "accounts",
            count: Self.count(cpus: cpus),
            isSparse: true
        )
        shares = try InterfaceShares(maps)
        self.accounts = accounts
        self.cpus = cpus
        isPreemptible = maps.configuration.is_preemptible != 0
    }

    /// Elements of the map of accounts.
    static func count(cpus: Int) -> Int { Int(WEIR_MAX_INTERFACES) * cpus * Int(WEIR_DIRECTIONS) }

    /// The accounts of a position.
    private func range(_ position: Int) -> Range<Int> {
        let count = cpus * Int(WEIR_DIRECTIONS)
        return position * count..<(position + 1) * count
    }

    /// Returns the number by which the CPU of an account owns a lane; 0 if it cannot own one.
    private func owner(of account: Int) -> UInt32 {
        let cpu = account / Int(WEIR_DIRECTIONS)
        return isPreemptible || cpu >= Int(WEIR_OWNER_CPUS) ? UInt32(WEIR_OWNER_NONE) : UInt32(cpu + 1)
    }

    /// Enters an interface, so that its packets are counted; nil if its window of the table is full.
    ///
    /// An upper device is entered so that a drop behind it is counted for the interfaces below.
    package func add(_ link: Link, isUpper: Bool = false) -> Int? {
        for step in 0..<UInt32(WEIR_INTERFACE_WINDOW) {
            let position = Int((link.index &+ step) % UInt32(WEIR_MAX_INTERFACES))
            let places = range(position)
            guard unsafe accounts[places.lowerBound].pointee.ifindex == 0 else { continue }
            let header = link.hasEthernetHeader ? WEIR_LINK_ETHERNET : WEIR_LINK_NONE
            // The first place comes last: it marks the position as taken, after the accounts of all processors are ready.
            for place in places.reversed() {
                unsafe accounts[place].pointee.link_header = header.rawValue
                unsafe accounts[place].pointee.owner = owner(of: place - places.lowerBound)
                unsafe accounts[place].pointee.flags = isUpper ? WEIR_INTERFACE_IS_UPPER : 0
                unsafe weir_account_publish(accounts[place], link.index)
            }
            return position
        }
        return nil
    }

    /// Stops counting for the interface at a position, and keeps its counts.
    func hide(position: Int) {
        for place in range(position).reversed() {
            unsafe weir_account_publish(accounts[place], accounts[place].pointee.ifindex | Self.hidden)
        }
    }

    /// The bit that makes an index invalid for the kernel and keeps its position taken.
    private static let hidden: UInt32 = 1 << 31

    /// Sets whether a device that is not watched itself is stacked on the interface at a position.
    func setHasUpper(_ hasUpper: Bool, position: Int) {
        set(WEIR_INTERFACE_HAS_UPPER, hasUpper, position: position)
    }

    /// Sets whether no other program runs before Weir's on the egress of the interface at a position.
    ///
    /// Only then has Weir counted every packet that a program drops there.
    func setEgressFirst(_ isFirst: Bool, position: Int) {
        set(WEIR_INTERFACE_EGRESS_FIRST, isFirst, position: position)
    }

    /// Sets whether a workload is behind the interface at a position.
    package func setIsWorkload(_ isWorkload: Bool, position: Int) {
        set(WEIR_INTERFACE_IS_WORKLOAD, isWorkload, position: position)
    }

    private func set(_ flag: UInt32, _ isSet: Bool, position: Int) {
        for place in range(position) {
            let account = unsafe accounts[place]
            unsafe account.pointee.flags = isSet ? account.pointee.flags | flag : account.pointee.flags & ~flag
        }
    }

    /// Removes an interface and zeroes its account; only after a grace period since its last packet.
    func remove(position: Int) {
        for place in range(position) {
            unsafe weir_account_publish(accounts[place], 0)
            unsafe accounts[place].pointee = weir_account()
        }
        shares.reset(position: position)
    }

    /// Adds the programs' counts of an interface, over all CPUs.
    func addCounts(position: Int, ingress: inout DirectionAccount, egress: inout DirectionAccount) {
        for place in range(position) {
            let account = unsafe accounts[place].pointee
            if place & 1 == Int(WEIR_INGRESS) { ingress.add(account) } else { egress.add(account) }
        }
        shares.addCounts(position: position, ingress: &ingress, egress: &egress)
    }
}

/// An interface that a previous agent entered into the table.
struct FoundInterface {
    let position: Int
    let index: UInt32
    let isUpper: Bool
}

extension TableMaps {
    /// The interfaces that are in the table.
    ///
    /// Queries the kernel for each position, because the memory of all of them is large on machines with many CPUs.
    func foundInterfaces() throws(DatapathError) -> [FoundInterface] {
        let accounts = try descriptor("accounts")
        var found: [FoundInterface] = []
        for position in 0..<UInt32(WEIR_MAX_INTERFACES) {
            var key = position * configuration.cpus * UInt32(WEIR_DIRECTIONS)
            var account = weir_account()
            guard unsafe bpf_map_lookup_elem(accounts, &key, &account) == 0, account.ifindex != 0 else { continue }
            let isUpper = account.flags & WEIR_INTERFACE_IS_UPPER != 0
            found.append(FoundInterface(position: Int(position), index: account.ifindex, isUpper: isUpper))
        }
        return found
    }
}

extension DirectionAccount {
    fileprivate mutating func add(_ account: weir_account) {
        seen += TrafficCounters(account.seen)
        skb += TrafficCounters(account.skb)
        denied.seen += TrafficCounters(account.denied)
    }
}
