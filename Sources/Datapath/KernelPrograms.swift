package import CWeir
import Glibc

/// The flow counter in the kernel: its programs and the maps it shares with the agent, sized and loaded.
package struct KernelPrograms: ~Copyable {
    /// What the programs were configured with.
    package let configuration: weir_config
    /// The reasons for drops that the program for drops counts; nil if it is not loaded.
    let dropReasons: DropReasons?
    private let object: ProgramObject

    /// Loads an embedded object; `prepare` may size or configure more before that.
    ///
    /// `tableSlots` and `ringBytes` must be powers of two, the latter at least a page. With `drops` the flow counter's
    /// program for drops is loaded too, for the network namespace of the calling thread.
    package init(
        _ embedded: EmbeddedObject,
        tableSlots: Int,
        ringBytes: Int,
        drops: DropReasons? = nil,
        prepare: (borrowing ProgramObject) throws(DatapathError) -> Void = { _ in }
    ) throws(DatapathError) {
        let cpus = try checked("count the CPUs", weir_possible_cpus())
        let configuration = weir_config(slots: tableSlots, ringBytes: ringBytes, cpus: UInt32(cpus))
        let object = try ProgramObject(embedded)
        try object.setEntries(UInt32(tableSlots), of: "flows")
        try object.setEntries(UInt32(tableSlots >> Int(WEIR_OCCUPIED_SHIFT)), of: "occupied")
        try object.setEntries(UInt32(ringBytes), of: "overflow")
        try object.setEntries(UInt32(WEIR_MAX_INTERFACES) * UInt32(cpus), of: "accounts")
        try object.setConstant(configuration, named: "config")
        if embedded == .flows { try Self.prepareDrops(object, drops, tableSlots: tableSlots) }
        try prepare(object)
        try object.load()
        self.configuration = configuration
        self.object = object
        dropReasons = drops
    }

    private static func prepareDrops(
        _ object: borrowing ProgramObject,
        _ reasons: DropReasons?,
        tableSlots: Int
    ) throws(DatapathError) {
        try object.setEntries(UInt32(tableSlots), of: "drops")
        try object.setEntries(UInt32(tableSlots >> Int(WEIR_OCCUPIED_SHIFT)), of: "dropped")
        guard let reasons else {
            try object.leaveOut("weir_drop")
            return
        }
        try object.setEntries(UInt32(WEIR_MAX_INTERFACES) * UInt32(reasons.byNumber.count), of: "drop_counts")
        try object.setConstant(weir_drop_config(reasons), named: "drop_config")
    }

    /// The flow table of the flow counter, mapped.
    package func table() throws(DatapathError) -> FlowTable {
        let slots = Int(configuration.slot_mask) + 1
        let words = slots >> Int(WEIR_OCCUPIED_SHIFT)
        let flows = try MappedMap<weir_flow_slot>(
            descriptor: object.map("flows"),
            name: "flows",
            count: slots,
            isSparse: true
        )
        let occupied = try MappedMap<UInt64>(descriptor: object.map("occupied"), name: "occupied", count: words)
        let drops = try MappedMap<weir_drop_slot>(
            descriptor: object.map("drops"),
            name: "drops",
            count: slots,
            isSparse: true
        )
        let dropped = try MappedMap<UInt64>(descriptor: object.map("dropped"), name: "dropped", count: words)
        return FlowTable(slots: flows, occupied: occupied, drops: drops, dropped: dropped)
    }

    /// The interface table and the accounts, mapped.
    package func interfaces() throws(DatapathError) -> InterfaceTable {
        let positions = Int(WEIR_MAX_INTERFACES)
        let cpus = Int(configuration.cpus)
        let entries = try MappedMap<weir_interface>(
            descriptor: object.map("interfaces"),
            name: "interfaces",
            count: positions
        )
        let accounts = try MappedMap<weir_interface_account>(
            descriptor: object.map("accounts"),
            name: "accounts",
            count: positions * cpus
        )
        return InterfaceTable(entries: entries, accounts: accounts, cpus: cpus)
    }

    /// A fence for the programs.
    package func fence() throws(DatapathError) -> Fence {
        try Fence(mapOfMaps: object.map("fence"))
    }

    /// The descriptor of a map.
    package func map(_ name: String) throws(DatapathError) -> Int32 { try object.map(name) }

    /// The descriptor of a program.
    package func program(_ name: String) throws(DatapathError) -> Int32 { try object.program(name) }
}

extension weir_config {
    /// A configuration with fresh random hash keys.
    fileprivate init(slots: Int, ringBytes: Int, cpus: UInt32) {
        self.init()
        var random = SystemRandomNumberGenerator()
        hash_multiplier = random.next() | 1
        unsafe withUnsafeMutableBytes(of: &hash_key) { bytes in
            for index in bytes.indices { unsafe bytes[index] = random.next() }
        }
        slot_mask = UInt32(slots - 1)
        slot_shift = UInt32(64 - slots.trailingZeroBitCount)
        self.cpus = cpus
        ring_wakeup = UInt32(ringBytes >> Int(WEIR_RING_WAKEUP_SHIFT))
    }
}
