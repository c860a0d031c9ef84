import CWeir
public import FlowModel
import Glibc

/// The program that counts drops, running, and what it counts by interface.
///
/// It runs for every packet that the machine drops, in every network namespace; which interfaces it counts is said
/// here. Without it, on a kernel that gives no reasons, nothing is counted.
///
/// `@safe`: positions are those of ``InterfaceTable``; the maps live as long as the counter.
@safe
package struct DropCounter: ~Copyable {
    private let interfaces: MappedMap<weir_drop_interface>
    private let counts: MappedMap<UInt64>
    private let reasons: [DropReason?]
    private let program: Int32
    /// The raw tracepoint; the kernel detaches the program when it is closed.
    private let link: FileDescriptor

    /// Attaches the program; counts nothing until an interface is watched.
    init(
        program: Int32,
        interfaces: consuming MappedMap<weir_drop_interface>,
        counts: consuming MappedMap<UInt64>,
        reasons: [DropReason?]
    ) throws(DatapathError) {
        link = FileDescriptor(
            owning: try checked(
                "attach to the tracepoint of dropped packets",
                bpf_raw_tracepoint_open(nil, program)
            )
        )
        self.program = program
        self.interfaces = interfaces
        self.counts = counts
        self.reasons = reasons
    }

    /// Counts the drops of an interface from now on; its packets must be counted already.
    package func watch(_ ifindex: UInt32, position: Int) {
        unsafe weir_drops_watch(interfaces[position], ifindex)
    }

    /// Counts no drops at a position any more; those that are being counted end with the next grace period.
    func ignore(position: Int) {
        unsafe weir_drops_watch(interfaces[position], 0)
    }

    /// Zeroes what was counted at a position; only after a grace period since it was watched.
    func reset(position: Int) {
        unsafe interfaces[position].pointee = weir_drop_interface()
        for reason in reasons.indices { unsafe counts[position * reasons.count + reason].pointee = 0 }
    }

    /// Denied packets that are in no flow, because neither the table nor the ring had room: what had entered and was
    /// counted before, what was to leave, and what had entered and was not counted before.
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

    /// Drops, of whatever reason and interface, that were not looked at: they happened in an interrupt while the
    /// program was running on that CPU, and the kernel does not let it run twice.
    var missed: UInt64 {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        guard unsafe bpf_obj_get_info_by_fd(program, &info, &size) == 0 else { return 0 }
        return info.recursion_misses
    }
}

/// Packets of one interface that the kernel dropped for one reason.
public struct DroppedPackets: Sendable {
    /// The interface's name.
    public var interface: String
    /// Why.
    public var reason: DropReason
    /// How many, on the wire.
    public var packets: UInt64
}

extension KernelPrograms {
    /// Attaches the program that counts drops; nil if it was not loaded.
    package func dropCounter() throws(DatapathError) -> DropCounter? {
        guard let reasons = dropReasons else { return nil }
        let positions = Int(WEIR_MAX_INTERFACES)
        let interfaces = try MappedMap<weir_drop_interface>(
            descriptor: map("drop_interfaces"),
            name: "drop_interfaces",
            count: positions
        )
        let counts = try MappedMap<UInt64>(
            descriptor: map("drop_counts"),
            name: "drop_counts",
            count: positions * reasons.byNumber.count
        )
        return try DropCounter(
            program: program("weir_drop"),
            interfaces: interfaces,
            counts: counts,
            reasons: reasons.byNumber
        )
    }
}

extension weir_drop_config {
    /// The program's configuration: the reasons, and the calling thread's network namespace.
    init(_ reasons: DropReasons) throws(DatapathError) {
        self.init()
        var status = stat()
        _ = try systemCall("find the network namespace") { unsafe stat("/proc/thread-self/ns/net", &status) }
        netns = UInt32(truncatingIfNeeded: status.st_ino)
        self.reasons = UInt32(reasons.byNumber.count)
        unsafe withUnsafeMutableBytes(of: &kind) { unsafe $0.copyBytes(from: reasons.bits) }
        let places = reasons.places.prefix(Int(WEIR_DROP_PLACES))
        unsafe withUnsafeMutableBytes(of: &place) { bytes in
            let all = unsafe bytes.bindMemory(to: weir_drop_place.self)
            for (index, place) in places.enumerated() { unsafe all[index] = place }
        }
    }
}
