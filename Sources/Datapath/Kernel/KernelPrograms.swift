package import CWeir
import Glibc

/// The flow counter in the kernel: its programs and the maps that it shares with the agent, sized and loaded.
package struct KernelPrograms: ~Copyable {
    /// The maps.
    package let maps: TableMaps
    /// The reasons for drops that the program for drops counts; nil if it is not loaded.
    let dropReasons: DropReasons?
    /// Whether the maps are those of a previous agent.
    let isFound: Bool
    let timesHandshakes: Bool
    /// Whether the programs have a place for ``DatagramReader``.
    let handsOnDatagrams: Bool
    private let object: ProgramObject

    /// The configuration of the programs.
    package var configuration: weir_config { maps.configuration }

    /// Loads an embedded object; `prepare` may size or configure more before that.
    ///
    /// `tableSlots` and `ringBytes` must be powers of two, the latter at least a page. With `drops` the flow counter's
    /// program for drops is loaded too, for the network namespace of the calling thread. `isPreemptible` means that one program
    /// may interrupt another on its CPU, so that only atomic additions are exact. `found` are the maps of a previous agent, of
    /// the same layout, which the programs use. With `outlives` the maps are made to outlive this process; the times of
    /// handshakes never do. `timesHandshakes`: see ``handshakes()``. With `handsOnDNS` the programs have a place for
    /// ``DNSReader``, with `handsOnDatagrams` one for ``DatagramReader``.
    package init(
        _ embedded: EmbeddedObject,
        tableSlots: Int,
        ringBytes: Int,
        drops: DropReasons? = nil,
        isPreemptible: Bool = RealtimeKernel.isRunning,
        timesHandshakes: Bool = false,
        handsOnDNS: Bool = false,
        handsOnDatagrams: Bool = false,
        prepare: (borrowing ProgramObject) throws(DatapathError) -> Void = { _ in }
    ) throws(DatapathError) {
        try self.init(
            embedded,
            tableSlots: tableSlots,
            ringBytes: ringBytes,
            drops: drops,
            isPreemptible: isPreemptible,
            timesHandshakes: timesHandshakes,
            found: nil,
            handsOnDNS: handsOnDNS,
            handsOnDatagrams: handsOnDatagrams,
            prepare: prepare
        )
    }

    init(
        _ embedded: EmbeddedObject,
        tableSlots: Int,
        ringBytes: Int,
        drops: DropReasons?,
        isPreemptible: Bool = RealtimeKernel.isRunning,
        timesHandshakes: Bool = false,
        found: TableMaps?,
        outlives: Bool = false,
        handsOnDNS: Bool = false,
        handsOnDatagrams: Bool = false,
        prepare: (borrowing ProgramObject) throws(DatapathError) -> Void = { _ in }
    ) throws(DatapathError) {
        let cpus = try checked("count the CPUs", weir_possible_cpus())
        var configuration = weir_config(slots: tableSlots, ringBytes: ringBytes, cpus: UInt32(cpus))
        configuration.is_preemptible = isPreemptible ? 1 : 0
        if let found { configuration = found.configuration }
        configuration.handshakes = timesHandshakes ? 1 : 0
        let object = try ProgramObject(embedded)
        for map in ["flows", "flow_rest"] { try object.setEntries(UInt32(tableSlots), of: map) }
        try object.setEntries(UInt32(tableSlots >> Int(WEIR_OCCUPIED_SHIFT)), of: "occupied")
        if timesHandshakes {
            try object.setEntries(UInt32(tableSlots), of: "handshakes")
            try object.setEntries(UInt32(tableSlots >> Int(WEIR_OCCUPIED_SHIFT)), of: "handshaken")
        }
        try object.setEntries(UInt32(ringBytes), of: "overflow")
        try object.setEntries(UInt32(InterfaceTable.count(cpus: Int(cpus))), of: "accounts")
        if embedded == .flows { try object.setEntries(UInt32(cpus), of: "last_skb") }
        try object.setConstant(configuration, named: "config")
        if embedded == .flows {
            try Self.prepareDrops(object, drops, tableSlots: tableSlots)
            try Self.prepare(object, handsOn: handsOnDNS, by: "dns_is_on", "dns_programs")
            try Self.prepare(object, handsOn: handsOnDatagrams, by: "datagrams_are_on", "datagram_programs")
        }
        try prepare(object)
        if let found {
            for name in TableMaps.shared { try object.reuse(found.descriptor(name), for: name) }
        }
        try object.load()
        if let found {
            maps = found
        } else {
            var descriptors = try outlives ? TableMaps.createOwn(slots: tableSlots) : [:]
            for name in TableMaps.shared where embedded == .flows || object.has(name) {
                descriptors[name] = try SharedDescriptor(copying: object.map(name), of: name)
            }
            let reasons = drops?.byNumber.count ?? 0
            maps = try TableMaps(descriptors, configuration: configuration, reasons: reasons)
        }
        isFound = found != nil
        self.timesHandshakes = timesHandshakes
        self.handsOnDatagrams = handsOnDatagrams
        self.object = object
        dropReasons = drops
    }

    /// Configures whether the programs pass packets on.
    private static func prepare(
        _ object: borrowing ProgramObject,
        handsOn: Bool,
        by constant: String,
        _ map: String
    ) throws(DatapathError) {
        if handsOn {
            try object.setConstant(UInt32(1), named: constant)
        } else {
            try object.leaveOut(map: map)
        }
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
    package func table() throws(DatapathError) -> FlowTable { try FlowTable(maps) }

    /// The interface table and the accounts, mapped.
    package func interfaces() throws(DatapathError) -> InterfaceTable { try InterfaceTable(maps) }

    /// The table of upper devices, mapped.
    func uppers() throws(DatapathError) -> UpperTable {
        UpperTable(entries: try maps.mapped("uppers", count: Int(WEIR_MAX_INTERFACES)))
    }

    /// The times of TCP handshakes; nil if they are not taken.
    func handshakes() throws(DatapathError) -> HandshakeReader? {
        guard timesHandshakes else { return nil }
        return try HandshakeReader(times: object.map("handshakes"), ready: object.map("handshaken"), slots: maps.slots)
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
        slot_limit = UInt32(SharePlan.slotLimit(slots: slots))
        ring_limit = UInt32(SharePlan.ringLimit(bytes: ringBytes))
    }
}
