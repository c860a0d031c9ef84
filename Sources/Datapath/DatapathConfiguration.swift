import CWeir

/// The configuration of the datapath.
public struct DatapathConfiguration: Sendable {
    /// The interfaces to watch, and the role of each.
    public var interfaces: InterfaceSelection
    /// Slots of the flow table: a power of two from 1,024 to 16,777,216.
    public var tableSlots: Int
    /// Bytes of the overflow ring: a power of two, at least a page.
    public var ringBytes: Int
    /// The most flows that the agent counts outside of the table, some 200 bytes each; further ones are in the remainder of
    /// their interface.
    public var overflowFlows = 1 << 17
    /// The way in which the programs are attached.
    public var attachMode: AttachMode
    /// Whether the kernel's grace periods are expedited while the agent attaches to or detaches from more than 16 interfaces.
    public var expeditesAttaching = true
    /// The idle times after which a flow has ended.
    public var timeouts: FlowTimeouts
    /// Whether dropped packets are counted, if the kernel reports them.
    public var countsDrops = true
    /// The data that is collected beside packets.
    public var collects: Collected = []
    /// Whether maps and links outlive this process.
    public var pinning = Pinning.never
    /// The mount point of bpffs.
    public var bpffs = "/sys/fs/bpf"

    /// Takes all members; each has the default that suits a node.
    public init(
        interfaces: InterfaceSelection = InterfaceSelection(),
        tableSlots: Int = defaultTableSlots,
        ringBytes: Int = 4 << 20,
        attachMode: AttachMode = .auto,
        timeouts: FlowTimeouts = FlowTimeouts()
    ) {
        self.interfaces = interfaces
        self.tableSlots = tableSlots
        self.ringBytes = ringBytes
        self.attachMode = attachMode
        self.timeouts = timeouts
    }

    /// Slots of the flow table unless configured otherwise.
    public static let defaultTableSlots = Int(WEIR_DEFAULT_SLOTS)

    /// Whether a number of slots is allowed.
    public static func isValid(tableSlots: Int) -> Bool {
        tableSlots >= Int(WEIR_MIN_SLOTS) && tableSlots <= Int(WEIR_MAX_SLOTS) && tableSlots.nonzeroBitCount == 1
    }
}

/// The data that is collected beside packets; data that is not collected takes no memory.
public struct Collected: OptionSet, Sendable, Hashable {
    /// One bit for each kind of data.
    public let rawValue: UInt8

    /// Takes the bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Statistics of TCP sockets.
    public static let tcp = Collected(rawValue: 1)
    /// The processes that own the TCP sockets.
    public static let process = Collected(rawValue: 2)
    /// The durations of TCP handshakes.
    public static let handshake = Collected(rawValue: 4)
    /// DNS messages of workloads and of this host.
    public static let dns = Collected(rawValue: 8)
    /// The programs that these processes run, in addition to ``process``.
    public static let processPath = Collected(rawValue: 16)
    /// The arguments of processes, in addition to ``process``.
    public static let processArguments = Collected(rawValue: 32)
}

/// Whether the maps and the links of the programs are pinned, so that counting goes on while no agent runs.
public enum Pinning: Sendable, CaseIterable {
    /// They end with the process.
    case never
    /// They outlive a death of the process, where bpffs is mounted; a normal end removes them.
    case untilEnd
    /// They outlive the process, however it ends.
    case always
}

/// The way in which programs are attached to interfaces.
public enum AttachMode: String, Sendable, CaseIterable {
    /// TCX where the kernel has it, else clsact.
    case auto
    /// TCX (Linux 6.6): first on ingress, last on egress.
    case tcx
    /// A clsact qdisc with one filter per direction.
    case clsact
}

/// The idle times after which a flow has ended, in milliseconds.
///
/// Defaults: conntrack timeouts of the Calico BPF dataplane, with its age timeout of at least 20 s, and the age timeout
/// of 10 s of its other dataplanes while the table is nearly full.
public struct FlowTimeouts: Sendable, Hashable {
    /// A TCP connection that was reset, or closed from both sides: long enough for the last segments on their way.
    public var tcpClosed: UInt32 = 500
    /// A TCP connection with one direction that was never seen.
    public var tcpUnanswered: UInt32 = 20_000
    /// A TCP connection.
    public var tcpOpen: UInt32 = 3_600_000
    /// UDP.
    public var udp: UInt32 = 60_000
    /// ICMP and ICMPv6.
    public var icmp: UInt32 = 20_000
    /// Every other protocol.
    public var other: UInt32 = 600_000
    /// The limit for every flow while more than three quarters of the table are in use, and for flows outside the table.
    public var pressed: UInt32 = 10_000

    /// The defaults.
    public init() {}

    /// Returns the idle time after which a flow with this protocol and these marks has ended, in ms.
    ///
    /// `isTwoWay` is true if packets went both ways.
    func limit(proto: UInt8, marks: UInt32, isTwoWay: Bool, isPressed: Bool) -> UInt32 {
        let limit =
            switch proto {
            case 6: tcpLimit(marks: marks, isTwoWay: isTwoWay)
            case 17: udp
            case 1, 58: icmp
            default: other
            }
        return isPressed ? min(limit, pressed) : limit
    }

    private func tcpLimit(marks: UInt32, isTwoWay: Bool) -> UInt32 {
        let fin: UInt32 = 0x01
        let rst: UInt32 = 0x04
        let isReset = marks & (rst | rst << 8) != 0
        let isClosed = marks & (fin | fin << 8) == fin | fin << 8
        if isReset || isClosed { return tcpClosed }
        return isTwoWay ? tcpOpen : tcpUnanswered
    }
}
