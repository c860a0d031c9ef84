import CWeir
public import FlowModel
import Glibc

/// The node's datapath: attaches the flow counter to the selected interfaces, follows them, and reads the counts.
///
/// Interfaces may appear and disappear at any time. Not thread-safe: one thread creates and calls it. Poll ``descriptors``
/// for reading to find out when there is work.
public final class Datapath {
    /// The host's own addresses.
    public internal(set) var ownAddresses: Set<IPAddress>
    /// Receives notices, in order.
    public var onNotice: (Notice) -> Void = { _ in }
    /// Returns whether there is no time any more to read new flows one by one: their traffic is then reported as
    /// ``FlowRemainder``; nil if there always is time.
    public var isPastDetailDeadline: (() -> Bool)?

    let selection: InterfaceSelection
    let programs: KernelPrograms
    let fence: Fence
    /// Nil where drops cannot be counted.
    var drops: DropCounter?
    /// The reason why drops cannot be counted.
    var dropsUnavailable: String?
    /// Nil where handshakes are not timed.
    let handshakes: HandshakeReader?
    /// Nil where sockets are not read.
    var sockets: SocketReader?
    /// The programs that the owners of sockets run; nil where processes are not collected.
    var processPrograms: ProcessPrograms?
    /// Socket reports whose flows the next scan may find.
    var socketReports: [weir_socket_report] = []
    /// Nil where owners of UDP sockets are not read.
    var datagrams: DatagramReader?
    /// The reason why they cannot be read.
    var datagramsUnavailable: String?
    /// Owners of UDP sockets that removed interfaces lost.
    var pastMissedDatagrams: UInt64 = 0
    /// Nil where DNS messages are not read.
    var dns: DNSReader?
    /// The reason why they cannot be read.
    var dnsUnavailable: String?
    /// Finds the servers behind services; nil where there is no connection tracking, or DNS messages are not read.
    var dnsConnections: Conntrack?
    /// DNS messages for the next scan.
    var dnsMessages: [WaitingMessage] = []
    /// DNS messages that removed interfaces lost.
    var pastMissedDNS: UInt64 = 0
    /// The data that is collected beside packets.
    let collects: Collected
    var network: NetworkState
    var table: FlowTableReader
    var overflow: OverflowReader
    var interfaces: InterfaceTable
    let uppers: UpperTable
    let mode: AttachMode
    /// Whether grace periods are expedited while many programs are attached or detached.
    let expedites: Bool
    /// Nil where no bpffs is mounted.
    let gracePeriods: GracePeriods?
    let hasTCX = Attachment.kernelHasTCX()
    var watched: [UInt32: WatchedInterface] = [:]
    var past = PastAccounts()
    /// The folder in which maps and links are pinned; nil where they are not.
    let pins: PinFolder?
    /// State that previous agents have left.
    var takeover: Takeover
    /// Interfaces whose clsact qdisc a previous agent created, according to a table of another layout.
    var ownedQdiscs: Set<UInt32> = []
    /// Positions of interfaces that could be watched in one direction only, to be cleared by the next scan.
    var abandoned: Set<Int> = []
    /// Interfaces that could not be watched, by index.
    var refused: Set<UInt32> = []
    /// Roles by interface position.
    var roles: [InterfaceRole]
    /// Indices by interface position.
    var indices: [UInt32]
    /// Positions that interfaces have in the interface table.
    var positions: Set<Int> = []
    var remainders = RemainderLedger()
    let shares: InterfaceShares
    let capacity: SharePlan.Capacity
    var sightings = WorkloadSightings()
    let started: UInt64
    /// The time when everything that was there at the start was attached, CLOCK_MONOTONIC ns.
    var watchedSince: UInt64

    var watch: AttachmentWatch
    var places: AddressPlaces
    /// An address behind each interface; nil until a scan needs it.
    var residents: [UInt32: IPAddress]?
    /// Interfaces that are left out, and pairs whose two ends are both counted, as far as they were logged.
    var layoutNotices = LayoutNotices()

    /// Checks the limits of this process that do not depend on the watched interfaces, before anything is opened.
    ///
    /// - Throws: the first limit that is too low, and the way to raise it.
    public static func checkLimits() throws(DatapathError) {
        try Requirements.checkLimits()
    }

    /// Checks that no other agent counts where this one would, before anything else is taken.
    ///
    /// - Throws: ``DatapathError/running(pid:)`` if one does.
    public static func checkAlone(_ configuration: DatapathConfiguration) throws(DatapathError) {
        guard configuration.pinning != .never else { return }
        do throws(DatapathError) {
            try PinFolder.checkFree(root: configuration.bpffs)
        } catch {
            // Other obstacles are reported by the start, with their meaning.
            guard case .running = error else { return }
            throw error
        }
    }

    /// Checks the machine, loads the programs and reads the interfaces; attaches nothing yet.
    ///
    /// - Throws: the requirement that is not met, or the refusal of the kernel.
    public init(_ configuration: DatapathConfiguration) throws(DatapathError) {
        try Requirements.check(tableSlots: configuration.tableSlots)
        selection = configuration.interfaces
        mode = configuration.attachMode
        expedites = configuration.expeditesAttaching
        gracePeriods = GracePeriods(ifMountedAt: configuration.bpffs)
        collects = configuration.collects
        var lacks = Lacking()
        var takeover = Takeover()
        let pins = try Self.takePins(configuration, &takeover)
        pins?.settle()
        let programs = try Self.load(configuration, pins, &lacks)
        let reasons = programs.dropReasons?.byNumber ?? []
        let fence = try programs.fence()
        let interfaces = try programs.interfaces()
        let ended = EndedFlows()
        let uppers = try programs.uppers()
        let table = FlowTableReader(
            table: try programs.table(),
            configuration: programs.configuration,
            timeouts: configuration.timeouts,
            reasons: reasons,
            ended: ended
        )
        overflow = try OverflowReader(
            maps: programs.maps,
            firstFlowID: UInt32(configuration.tableSlots),
            capacity: configuration.overflowFlows,
            timeouts: configuration.timeouts,
            reasons: reasons,
            ended: ended,
            shares: interfaces.shares
        )
        let watch = try AttachmentWatch()
        var network = try NetworkState()
        try network.relearn()
        var places = try AddressPlaces()
        places.follow(network.links, gone: [], now: Self.monotonicNow / 1_000_000)
        ownAddresses = network.addresses
        dropsUnavailable = lacks.drops
        dnsUnavailable = lacks.dns
        datagramsUnavailable = lacks.datagrams
        drops = try programs.dropCounter()
        handshakes = try programs.handshakes()
        self.pins = pins
        self.takeover = takeover
        self.programs = programs
        self.fence = fence
        self.uppers = uppers
        self.table = table
        self.network = network
        self.watch = watch
        self.places = places
        roles = Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES))
        indices = Array(repeating: 0, count: roles.count)
        shares = interfaces.shares
        self.interfaces = interfaces
        capacity = SharePlan.Capacity(slots: configuration.tableSlots, ringBytes: configuration.ringBytes)
        started = Self.monotonicNow
        watchedSince = started
        try inherit(configuration, ended)
    }

    /// The reasons why parts of the configuration are left out.
    private struct Lacking {
        var drops: String?
        var dns: String?
        var datagrams: String?
    }

    /// Loads the programs; leaves out the one for drops if the kernel has no reasons or refuses it, and those that pass on DNS
    /// messages and datagrams if it refuses them.
    private static func load(
        _ configuration: DatapathConfiguration,
        _ pins: PinFolder?,
        _ lacks: inout Lacking
    ) throws(DatapathError) -> KernelPrograms {
        let collects = configuration.collects.intersection([.dns, .process])
        func load(_ drops: DropReasons?, handsOn: Collected) throws(DatapathError) -> KernelPrograms {
            try KernelPrograms(
                .flows,
                tableSlots: configuration.tableSlots,
                ringBytes: configuration.ringBytes,
                drops: drops,
                timesHandshakes: configuration.collects.contains(.handshake),
                found: pins?.maps(layout: PinFolder.layout(configuration, reasons: drops?.byNumber.count ?? 0)),
                outlives: pins != nil,
                handsOnDNS: handsOn.contains(.dns),
                handsOnDatagrams: handsOn.contains(.process)
            )
        }
        func load(_ drops: DropReasons?, _ lacks: inout Lacking) throws(DatapathError) -> KernelPrograms {
            guard !collects.isEmpty else { return try load(drops, handsOn: []) }
            do throws(DatapathError) {
                return try load(drops, handsOn: collects)
            } catch {
                let programs = try load(drops, handsOn: [])
                if collects.contains(.dns) { lacks.dns = "\(error)" }
                if collects.contains(.process) { lacks.datagrams = "\(error)" }
                return programs
            }
        }
        guard configuration.countsDrops else { return try load(nil, &lacks) }
        switch DropReasons.read() {
        case .unavailable(let reason): lacks.drops = reason
        case .available(let reasons):
            do throws(DatapathError) {
                return try load(reasons, &lacks)
            } catch {
                lacks.drops = "the program that counts drops cannot be loaded: \(error)"
            }
        }
        return try load(nil, &lacks)
    }

    /// Whether drops are reported (``FlowBatch/drops``): they are configured, and the kernel has reasons for them.
    public var countsDrops: Bool { drops != nil }

    /// CLOCK_MONOTONIC, ns: the clock of the programs' `bpf_ktime_get_ns`.
    static var monotonicNow: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
