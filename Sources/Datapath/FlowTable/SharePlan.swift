import CWeir

/// The division of slots and the overflow ring between interfaces.
///
/// Up to a limit, free room goes to the first flow that needs it. The room above the limit is a reserve, divided equally:
/// each interface can always use its share. A flood on one interface therefore cannot take the room of the others, and an
/// interface that was quiet has room at once.
enum SharePlan {
    /// The reserve is divided for at least as many interfaces.
    static let minimumInterfaces = 16

    /// The bytes of a record in the ring, with the header that the kernel gives it there.
    static let recordBytes = MemoryLayout<weir_overflow_event>.size + Int(BPF_RINGBUF_HDR_SZ)

    /// The number of used slots above which interfaces are limited to their shares.
    ///
    /// At half of the slots a window has a free place for all but a few flows in 10,000; with the whole reserve in use,
    /// five eighths, for all but one in a hundred.
    static func slotLimit(slots: Int) -> Int { slots / 2 }

    /// Slots that each interface may always hold.
    static func slotShare(slots: Int, interfaces: Int) -> Int {
        max(1, slots / 8 / max(interfaces, minimumInterfaces))
    }

    /// The number of used bytes in the ring above which interfaces are limited to their shares.
    static func ringLimit(bytes: Int) -> Int { bytes / 2 }

    /// Records in the ring that each interface may always have.
    static func ringShare(bytes: Int, recordBytes: Int, interfaces: Int) -> Int {
        max(1, bytes / 2 / recordBytes / max(interfaces, minimumInterfaces))
    }

    /// The capacity that is divided.
    struct Capacity {
        /// Slots of the table.
        var slots: Int
        /// Bytes of the ring.
        var ringBytes: Int

        /// Returns the guaranteed share of each of so many interfaces: slots, and records in the ring.
        func shares(interfaces: Int) -> (slots: Int, ring: Int) {
            (
                SharePlan.slotShare(slots: slots, interfaces: interfaces),
                SharePlan.ringShare(
                    bytes: ringBytes,
                    recordBytes: SharePlan.recordBytes,
                    interfaces: interfaces
                )
            )
        }
    }
}
