import CWeir
public import FlowModel
import Glibc

/// The attached program that counts drops, and its counts by interface.
///
/// It runs for every packet that the machine drops, in every network namespace; it counts only drops on the interfaces that are
/// set here. On a kernel without drop reasons no counter exists, and no drops are counted.
///
/// `@safe`: positions are those of ``InterfaceTable``; the maps live as long as the counter.
@safe
package final class DropCounter {
    private let interfaces: MappedMap<weir_drop_interface>
    private let counts: MappedMap<UInt64>
    private let reasons: [DropReason?]
    /// The program of the calling process; nil where only existing counts are read.
    private let program: Int32?
    private var link: DropLink?

    /// Maps the counts; counts nothing until the program is attached and an interface is watched.
    init(_ maps: TableMaps, reasons: [DropReason?], program: Int32? = nil) throws(DatapathError) {
        let positions = Int(WEIR_MAX_INTERFACES)
        let interfaces: MappedMap<weir_drop_interface> = try maps.mapped("drop_interfaces", count: positions)
        let counts: MappedMap<UInt64> = try maps.mapped("drop_counts", count: positions * maps.reasons)
        self.interfaces = interfaces
        self.counts = counts
        self.reasons = reasons
        self.program = program
        link = nil
    }

    /// Attaches the program, or keeps the one that a previous agent pinned.
    ///
    /// - Parameters:
    ///   - pins: where the link is pinned.
    ///   - isSame: whether a previous agent configured it in the same way, with the same maps.
    /// - Throws: the refusal of the kernel.
    package func begin(_ pins: PinFolder? = nil, isSame: Bool = false) throws(DatapathError) {
        guard let program, link == nil else { return }
        link = try DropLink(program, pins, isSame: isSame)
    }

    /// The descriptor of the program that counts; nil if none does.
    var runningProgram: Int32? { link?.runningProgram }

    /// Counts the drops of an interface from now on; its packets must be counted already.
    package func watch(_ ifindex: UInt32, position: Int) {
        unsafe weir_drops_watch(interfaces[position], ifindex)
    }

    /// Stops counting drops at a position; drops that are being counted end with the next grace period.
    func ignore(position: Int) {
        unsafe weir_drops_watch(interfaces[position], 0)
    }

    /// Zeroes the counts of a position; only after a grace period since it was watched.
    func reset(position: Int) {
        unsafe interfaces[position].pointee = weir_drop_interface()
        for reason in reasons.indices { unsafe counts[position * reasons.count + reason].pointee = 0 }
    }

    /// Denied packets that are in no flow, because neither the table nor the ring had room.
    ///
    /// These are packets that had entered and were counted before, packets that were to leave, and packets that had entered and
    /// were not counted before.
    func remainder(
        position: Int
    ) -> (ingress: TrafficCounters, egress: TrafficCounters, uncounted: TrafficCounters) {
        let lanes = unsafe interfaces[position].pointee.remainder
        return (TrafficCounters(lanes.0), TrafficCounters(lanes.1), TrafficCounters(lanes.2))
    }

    /// Dropped packets whose flow is not known, because their headers could not be read.
    func unparsed(position: Int) -> UInt64 {
        unsafe weir_load_u64(&interfaces[position].pointee.unparsed)
    }

    /// Packets that were dropped at a position, for each reason that occurred.
    func packets(position: Int) -> [(reason: DropReason, packets: UInt64)] {
        reasons.indices.compactMap { number in
            guard let reason = reasons[number] else { return nil }
            let packets = unsafe weir_load_u64(counts[position * reasons.count + number])
            return packets == 0 ? nil : (reason, packets)
        }
    }

    /// Drops, with any reason and on any interface, that the program did not see.
    ///
    /// They happened in an interrupt while the program was running on that CPU, and the kernel does not let it run twice.
    var missed: UInt64 { link?.missed ?? 0 }
}

/// Packets of one interface that the kernel dropped for one reason.
public struct DroppedPackets: Sendable {
    /// The interface's name.
    public var interface: String
    /// The reason for the drops.
    public var reason: DropReason
    /// The number of packets, as on the wire.
    public var packets: UInt64
}

extension KernelPrograms {
    /// The program that counts drops, and its counts; nil if it was not loaded.
    package func dropCounter() throws(DatapathError) -> DropCounter? {
        guard let reasons = dropReasons else { return nil }
        return try DropCounter(maps, reasons: reasons.byNumber, program: program("weir_drop"))
    }
}

extension weir_drop_config {
    /// The program's configuration: the reasons, and the calling thread's network namespace.
    init(_ reasons: DropReasons) throws(DatapathError) {
        self.init()
        netns = try HomeNamespace.number()
        self.reasons = UInt32(reasons.byNumber.count)
        unsafe withUnsafeMutableBytes(of: &kind) { unsafe $0.copyBytes(from: reasons.bits) }
        let places = reasons.places.prefix(Int(WEIR_DROP_PLACES))
        unsafe withUnsafeMutableBytes(of: &place) { bytes in
            let all = unsafe bytes.bindMemory(to: weir_drop_place.self)
            for (index, place) in places.enumerated() { unsafe all[index] = place }
        }
    }
}
