import CWeir
import FlowModel

/// The interface table and the accounts behind it, in memory shared with the programs.
///
/// `@safe`: positions come from ``add(_:)``; the maps live as long as the table.
@safe
package struct InterfaceTable: ~Copyable {
    private let entries: MappedMap<weir_interface>
    private let accounts: MappedMap<weir_interface_account>
    private let cpus: Int

    init(
        entries: consuming MappedMap<weir_interface>,
        accounts: consuming MappedMap<weir_interface_account>,
        cpus: Int
    ) {
        self.entries = entries
        self.accounts = accounts
        self.cpus = cpus
    }

    /// Enters an interface, so that its packets are counted; nil if its window of the table is full.
    package func add(_ link: Link) -> Int? {
        for step in 0..<UInt32(WEIR_INTERFACE_WINDOW) {
            let position = Int((link.index &+ step) % UInt32(WEIR_MAX_INTERFACES))
            let entry = unsafe entries[position]
            guard unsafe entry.pointee.ifindex == 0 else { continue }
            let header = link.hasEthernetHeader ? WEIR_LINK_ETHERNET : WEIR_LINK_NONE
            unsafe entry.pointee.link_header = header.rawValue
            unsafe weir_interface_publish(entry, link.index)
            return position
        }
        return nil
    }

    /// Takes an interface out and zeroes its account; only after a grace period since its last packet.
    func remove(position: Int) {
        unsafe weir_interface_publish(entries[position], 0)
        for cpu in 0..<cpus {
            unsafe accounts[position * cpus + cpu].pointee = weir_interface_account()
        }
    }

    /// Adds what the programs counted of an interface, over all CPUs.
    func addCounts(position: Int, ingress: inout DirectionAccount, egress: inout DirectionAccount) {
        for cpu in 0..<cpus {
            let account = unsafe accounts[position * cpus + cpu].pointee
            ingress.add(account.direction.0)
            egress.add(account.direction.1)
        }
    }
}

extension DirectionAccount {
    fileprivate mutating func add(_ account: weir_account) {
        seen += TrafficCounters(account.seen)
        skb += TrafficCounters(account.skb)
        lost += TrafficCounters(account.lost)
        denied.seen += TrafficCounters(account.denied)
        notIP += TrafficCounters(account.not_ip)
        unparsed += TrafficCounters(account.unparsed)
        let reasons = account.unparsed_reason
        unparsedReasons.link += reasons.0
        unparsedReasons.network += reasons.1
        unparsedReasons.extension += reasons.2
        unparsedReasons.transport += reasons.3
    }
}

extension TrafficCounters {
    /// What a program counted.
    init(_ pair: weir_pair) {
        self.init(packets: pair.packets, bytes: pair.bytes)
    }
}
