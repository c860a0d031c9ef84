import CWeir

/// Removes owners of lanes from which a flow has moved away, so that the flow's present CPU can own them.
///
/// A lane must have no owner while programs may still run that took the last owner for it: so an owner is removed, a grace
/// period later the lane is vacant, and the next CPU that counts there becomes its owner.
///
/// `@safe`: indices are those of a scan of the table.
@safe
struct OwnerChanges: ~Copyable {
    private var pending: [(slot: UInt32, direction: Int32)] = []

    /// The most lanes that change in one scan; the others wait for the next one.
    private static let limit = 1024
    /// The binary logarithm of the unit of ``weir_flow_taken/foreign``, in packets.
    private static let unitShift = 6
    /// The fewest units per scan that justify a change.
    private static let leastUnits: UInt16 = 4

    /// Whether no lane waits for the grace period.
    var isEmpty: Bool { pending.isEmpty }

    /// Examines the counts of a flow since the last scan; the cold line of its slot must be accessible.
    mutating func consider(_ table: borrowing FlowTable, _ index: Int, ingress: UInt64, egress: UInt64) {
        let (rest, taken) = unsafe (table.rest.base + index, table.taken.base + index)
        let ingressUnits = unsafe UInt16(truncatingIfNeeded: rest.pointee.packets.0 >> Self.unitShift)
        let egressUnits = unsafe UInt16(truncatingIfNeeded: rest.pointee.packets.1 >> Self.unitShift)
        let foreign = unsafe taken.pointee.foreign
        unsafe taken.pointee.foreign = (ingressUnits, egressUnits)
        change(table, index, Int32(WEIR_INGRESS), units: ingressUnits &- foreign.0, packets: ingress)
        change(table, index, Int32(WEIR_EGRESS), units: egressUnits &- foreign.1, packets: egress)
    }

    /// Takes a lane from an owner that counted less than an eighth of the packets.
    private mutating func change(
        _ table: borrowing FlowTable,
        _ index: Int,
        _ direction: Int32,
        units: UInt16,
        packets: UInt64
    ) {
        guard units >= Self.leastUnits, (UInt64(units) + 1) << Self.unitShift >= packets / 8 * 7,
            pending.count < Self.limit
        else { return }
        let slot = unsafe table.slots.base + index
        let owner = unsafe weir_slot_owner(slot, direction)
        guard owner != UInt32(WEIR_OWNER_NONE), owner != UInt32(WEIR_OWNER_CHANGING),
            unsafe weir_slot_change_owner(slot, direction, owner, UInt32(WEIR_OWNER_CHANGING))
        else { return }
        pending.append((UInt32(index), direction))
    }

    /// Makes the lanes vacant; behind the grace period.
    mutating func finish(_ table: borrowing FlowTable) {
        for (slot, direction) in pending {
            _ = unsafe weir_slot_change_owner(
                table.slots.base + Int(slot),
                direction,
                UInt32(WEIR_OWNER_CHANGING),
                UInt32(WEIR_OWNER_NONE)
            )
        }
        pending.removeAll(keepingCapacity: true)
    }
}
