import CWeir
import FlowModel

/// The use of the flow table and of the overflow ring by each interface, its limits, and the part of its account that all CPUs
/// write (`weir_interface`).
///
/// `@safe`: the maps live as long as the shares, and ``MappedMap`` checks positions.
@safe
package final class InterfaceShares {
    private let interfaces: MappedMap<weir_interface>
    private let use: MappedMap<weir_table_use>

    init(_ maps: TableMaps) throws(DatapathError) {
        interfaces = try maps.mapped("interfaces", count: Int(WEIR_MAX_INTERFACES), isSparse: true)
        use = try maps.mapped("table_use", count: 1)
    }

    /// Slots that the interface's flows hold.
    package func slots(of position: Int) -> Int {
        Int(unsafe weir_load_u32(&interfaces[position].pointee.slots))
    }

    /// Slots that the interface may always use.
    package func slotsShare(of position: Int) -> Int {
        Int(unsafe weir_load_u32(&interfaces[position].pointee.slots_share))
    }

    /// Slots that all flows hold.
    package var usedSlots: Int { Int(unsafe weir_load_u32(&use[0].pointee.slots)) }

    /// Records of the interface that are in the ring.
    package func ring(of position: Int) -> Int {
        Int(unsafe weir_load_u32(&interfaces[position].pointee.ring))
    }

    /// Sets the numbers of slots, and of records in the ring, that an interface may always use.
    package func set(position: Int, slots: Int, ring: Int) {
        unsafe weir_share_set(interfaces[position], UInt32(slots), UInt32(ring))
    }

    /// Counts a slot of the interface, as a program does that claims one.
    package func takeSlot(of position: Int) {
        unsafe weir_share_take_slot(interfaces[position], use[0])
    }

    /// Returns a slot of the interface.
    func returnSlot(of position: Int) {
        unsafe weir_share_return_slot(interfaces[position], use[0])
    }

    /// Notes that a record of the interface was taken out of the ring.
    func returnRing(of position: Int) {
        unsafe weir_share_return_ring(interfaces[position])
    }

    /// Returns the traffic that found no room, neither in the table nor in the ring.
    func remainder(of position: Int) -> (ingress: TrafficCounters, egress: TrafficCounters) {
        let pairs = unsafe interfaces[position].pointee.remainder
        return (TrafficCounters(pairs.0), TrafficCounters(pairs.1))
    }

    /// Adds the counts that all CPUs share.
    func addCounts(position: Int, ingress: inout DirectionAccount, egress: inout DirectionAccount) {
        let counts = unsafe interfaces[position].pointee
        ingress.add(counts.remainder.0, counts.not_ip.0, counts.unparsed.0, counts.unparsed_reason.0)
        egress.add(counts.remainder.1, counts.not_ip.1, counts.unparsed.1, counts.unparsed_reason.1)
    }

    /// Zeroes the account and the shares of a position; only after a grace period since its last packet, and when its
    /// flows are freed.
    func reset(position: Int) {
        let entry = unsafe interfaces[position]
        // Shares that are still in use are returned later.
        let (slots, ring) = unsafe (entry.pointee.slots, entry.pointee.ring)
        unsafe entry.pointee = weir_interface()
        unsafe entry.pointee.slots = slots
        unsafe entry.pointee.ring = ring
    }
}

extension DirectionAccount {
    fileprivate mutating func add(
        _ remainder: weir_pair,
        _ notIP: weir_pair,
        _ unparsed: weir_pair,
        _ reasons: (UInt64, UInt64, UInt64, UInt64)
    ) {
        self.remainder += TrafficCounters(remainder)
        self.notIP += TrafficCounters(notIP)
        self.unparsed += TrafficCounters(unparsed)
        unparsedReasons.link += reasons.0
        unparsedReasons.network += reasons.1
        unparsedReasons.extension += reasons.2
        unparsedReasons.transport += reasons.3
    }
}

extension TrafficCounters {
    /// Reads the counts of a program.
    init(_ pair: weir_pair) {
        self.init(packets: pair.packets, bytes: pair.bytes)
    }
}
