import CWeir
import Glibc

/// A ring buffer that one kind of BPF programs fills, with a share for each interface.
///
/// The flow counter passes packets to these programs by tail calls until the ring is released.
///
/// `@safe`: the ring's memory lives as long as this object, and records are valid only during a call.
@safe
final class SharedRing {
    /// The maps and programs that belong to a ring.
    struct Parts {
        /// The content of the ring, for error messages, as in "DNS messages".
        var content: String
        /// The map of the ring.
        var ring: String
        /// Its size in bytes.
        var bytes: Int
        /// The map of the shares, by position of the interface.
        var shares: String
        /// The flow counter's map of the programs, by direction.
        var places: String
        /// The programs, by direction.
        var programs: [(direction: Int32, name: String)]
    }

    private let parts: Parts
    private var ring = unsafe weir_ring()
    private let events: FileDescriptor
    /// The ring's map; it outlives its object, which is released after the start.
    private let map: FileDescriptor
    private let places: FileDescriptor
    private let shares: MappedMap<weir_ring_share>

    /// Maps the ring of a loaded object.
    ///
    /// - Throws: ``DatapathError`` if the kernel refuses it.
    init(_ parts: Parts, of object: borrowing ProgramObject, beside counter: borrowing KernelPrograms)
        throws(DatapathError)
    {
        self.parts = parts
        let number = try object.map(parts.ring)
        map = try Self.kept(number, parts.ring)
        places = try Self.kept(counter.map(parts.places), parts.places)
        events = FileDescriptor(owning: try checked("wait for the ring of \(parts.content)", weir_ring_watch(number)))
        shares = try MappedMap(
            descriptor: object.map(parts.shares),
            name: parts.shares,
            count: Int(WEIR_MAX_INTERFACES)
        )
        try checked("open the ring of \(parts.content)", unsafe weir_ring_open(number, parts.bytes, &ring))
    }

    private static func kept(_ map: Int32, _ name: String) throws(DatapathError) -> FileDescriptor {
        FileDescriptor(owning: try systemCall("keep map \(name)") { fcntl(map, F_DUPFD_CLOEXEC, 0) })
    }

    /// Lets the flow counter pass packets to the programs.
    func begin(_ object: borrowing ProgramObject) throws(DatapathError) {
        for (direction, name) in parts.programs {
            var (place, program) = (UInt32(direction), try object.program(name))
            try checked(
                "hand \(parts.content) on to \(name)",
                unsafe bpf_map_update_elem(places.number, &place, &program, UInt64(BPF_ANY))
            )
        }
    }

    deinit {
        for (direction, _) in parts.programs {
            var place = UInt32(direction)
            _ = unsafe bpf_map_delete_elem(places.number, &place)
        }
        if unsafe ring.consumer != nil { unsafe weir_ring_close(&ring) }
    }

    /// Readable when the programs request that the ring is drained.
    var descriptor: Int32 { events.number }

    /// The number of records of interfaces at these positions that were lost because the ring was full.
    func lost(at positions: Set<Int>) -> UInt64 {
        positions.reduce(0) { $0 + (unsafe weir_load_u64(&shares[$1].pointee.lost)) }
    }

    /// Assigns each interface an equal share of the half of the ring that is reserved for shares.
    func divide(among positions: Set<Int>) {
        let share = UInt32(parts.bytes / 2 / max(1, positions.count))
        for position in positions { unsafe shares[position].pointee.share = share }
    }

    /// Clears the loss count of a position after the programs of its interface were detached.
    func release(position: Int) {
        unsafe shares[position].pointee = weir_ring_share()
    }

    /// Takes records until the ring is empty, or `body` returns false.
    ///
    /// - Parameters:
    ///   - positions: the positions of all interfaces, whose use of the ring is reset.
    ///   - body: receives a record.
    func drain(positions: Set<Int>, _ body: (UnsafeRawBufferPointer) -> Bool) {
        var (size, behind) = (0, UInt64(0))
        while let record = unsafe weir_ring_next(&ring, &size, &behind) {
            let goesOn = unsafe body(UnsafeRawBufferPointer(start: record, count: size))
            unsafe weir_ring_advance(&ring, behind)
            if !goesOn { return }
        }
        for position in positions { unsafe shares[position].pointee.bytes = 0 }
    }
}
