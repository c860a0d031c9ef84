import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// The suites that load programs: one after the other, because some measure the machine's time and all share its two
/// processors.
@Suite(.serialized, .enabled(if: (try? Requirements.check(tableSlots: 1024)) != nil, "BPF needs root and Linux 5.15"))
enum KernelTests {}

/// A direction as an interface sees it.
enum Direction: UInt8, CaseIterable, Sendable {
    case ingress
    case egress
}

// MARK: - Programs without interfaces

/// The flow counter, loaded and attached to nothing: packets reach it by BPF_PROG_TEST_RUN, as if they crossed `lo`.
final class TestRunCounter {
    /// The index of `lo` in every namespace.
    static let loopback: UInt32 = 1

    let programs: KernelPrograms
    /// The table's memory, beside the reader's own mapping of it.
    let table: FlowTable
    var reader: FlowTableReader
    /// The memory of the reader.
    let ended = EndedFlows()
    /// The position of `lo` in the interface table.
    let position: Int
    let interfaces: InterfaceTable
    private let descriptors: [Direction: Int32]

    /// The counter that all tests use, since the verifier takes a second for it.
    ///
    /// `nonisolated(unsafe)`: the suites in ``KernelTests`` run one after the other.
    private nonisolated(unsafe) static var loaded: TestRunCounter?

    /// An empty counter.
    static func fresh() throws -> TestRunCounter {
        let counter =
            try loaded
            ?? TestRunCounter(
                KernelPrograms(.flows, tableSlots: Int(WEIR_MIN_SLOTS), ringBytes: 4096)
            )
        loaded = counter
        try counter.reset()
        return counter
    }

    /// Counts what crosses `lo` with programs that are loaded.
    init(_ programs: consuming KernelPrograms) throws {
        let interfaces = try programs.interfaces()
        let added = interfaces.add(Self.link)
        position = try #require(added)
        table = try programs.table()
        reader = FlowTableReader(
            table: try programs.table(),
            configuration: programs.configuration,
            timeouts: FlowTimeouts(),
            ended: ended
        )
        descriptors = [
            .ingress: try programs.program("weir_ingress"),
            .egress: try programs.program("weir_egress"),
        ]
        self.interfaces = interfaces
        self.programs = programs
    }

    private static let link = Link(index: loopback, name: "lo", type: UInt16(ARPHRD_LOOPBACK), flags: 0)

    /// Frees the table, zeroes the account, and clears the ports of fragments.
    private func reset() throws {
        _ = try scan(ending: true)
        ended.removeAll()
        reader.resetDrained(position: position)
        interfaces.shares.set(position: position, slots: 0, ring: 0)
        interfaces.remove(position: position)
        let added = interfaces.add(Self.link)
        try #require(added == position)
        try clearFragments()
    }

    /// Clears the ports of fragments.
    func clearFragments() throws {
        let fragments = try programs.map("fragments")
        var key = [UInt8](repeating: 0, count: 48)
        while bpf_map_get_next_key(fragments, nil, &key) == 0 {
            try #require(bpf_map_delete_elem(fragments, &key) == 0)
        }
    }

    /// Sends a frame through `lo`.
    func run(
        _ frame: [UInt8],
        _ direction: Direction = .ingress,
        gso: (size: UInt32, segments: UInt32) = (0, 0),
        times: Int32 = 1
    ) throws {
        let program = try #require(descriptors[direction])
        let result = try ProgramTestRun.run(program, frame: frame, ifindex: Self.loopback, gso: gso, times: times)
        // Whatever the packet is, the next program decides on it.
        try #require(result.verdict == -1)
    }

    /// Reads the table, and ends every flow if `ending` is true.
    ///
    /// No program runs meanwhile unless the caller has a fence.
    func scan(
        now: UInt32 = 1,
        ending: Bool = false,
        started: UInt64 = 0,
        fence: () throws(DatapathError) -> Void = {}
    ) throws -> FlowBatch {
        let surroundings = FlowTableReader.Surroundings(
            now: now,
            started: started,
            roles: Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES)),
            gone: ending ? [position] : []
        )
        var all = FlowBatch()
        try reader.scan(surroundings, fence: fence) { all.append($0) }
        return all
    }

    /// Returns the counts of the programs and the reader.
    func account(_ direction: Direction) -> DirectionAccount {
        var accounts = (DirectionAccount(), DirectionAccount())
        interfaces.addCounts(position: position, ingress: &accounts.0, egress: &accounts.1)
        accounts.0.flows = reader.drained[position * 2]
        accounts.1.flows = reader.drained[position * 2 + 1]
        return direction == .ingress ? accounts.0 : accounts.1
    }

    /// The indices of the slots that are not free.
    var usedSlots: [Int] {
        (0..<table.slots.count).filter { ![WEIR_SLOT_FREE, WEIR_SLOT_TOMBSTONE].contains(state(of: $0)) }
    }

    /// The state of a slot.
    func state(of slot: Int) -> weir_slot_state {
        weir_slot_state(rawValue: table.slots[slot].pointee.state)
    }

    /// Whether the bit of a slot is set.
    func isOccupied(_ slot: Int) -> Bool {
        table.occupied[slot >> Int(WEIR_OCCUPIED_SHIFT)].pointee & 1 << UInt64(slot & 63) != 0
    }
}

extension FlowBatch {
    /// Takes over another batch.
    mutating func append(_ batch: FlowBatch) {
        births += batch.births
        deltas += batch.deltas
        drops += batch.drops
        sockets += batch.sockets
        remainders += batch.remainders
        ends += batch.ends
    }

    /// The sum of all deltas.
    var ingress: TrafficCounters { deltas.reduce(.zero) { $0 + $1.ingress } }
    /// The sum of all deltas.
    var egress: TrafficCounters { deltas.reduce(.zero) { $0 + $1.egress } }
}

// MARK: - A datapath in a namespace

/// A datapath in a namespace, and its reports so far.
final class Monitor {
    /// The traffic of a flow.
    struct Traffic: Hashable {
        var ingress = TrafficCounters.zero
        var egress = TrafficCounters.zero
    }

    let namespace: NetworkNamespace
    /// All notices, in order.
    private(set) var notices: [Datapath.Notice] = []
    /// The traffic of each flow.
    private(set) var flows: [FlowKey: Traffic] = [:]
    /// The drops of each flow.
    private(set) var drops: [FlowKey: Dropped] = [:]
    /// The marks of each flow's packets when it was last born.
    private(set) var marks: [FlowKey: FlowMarks] = [:]
    /// Packets that were dropped, by interface and reason, of the last reading.
    private(set) var droppedPackets: [String: [String: UInt64]] = [:]
    /// Numbers whose last birth resumed a connection.
    private(set) var resumed: Set<UInt32> = []
    /// Flows that are being counted.
    private(set) var living: [UInt32: FlowKey] = [:]
    /// The place of each flow's near end when it was last born.
    private(set) var places: [FlowKey: NearPlace] = [:]
    /// The role that each flow was last born with.
    private(set) var roles: [FlowKey: InterfaceRole] = [:]
    /// The socket statistics of each flow, of its near end and of its far end.
    private(set) var sockets: [FlowKey: (near: TCPStatistics?, far: TCPStatistics?)] = [:]
    /// Flags of TCP that each flow got after its birth.
    private(set) var flags: [FlowKey: TCPFlags] = [:]
    /// The processes of each flow, at its near end and at its far end.
    private(set) var processes: [FlowKey: (near: FlowProcesses?, far: FlowProcesses?)] = [:]
    /// The handshake times of each flow, as its near end and its far end saw them.
    private(set) var handshakes: [FlowKey: (near: HandshakeTimes?, far: HandshakeTimes?)] = [:]
    /// DNS messages, in order.
    private(set) var dns: [DNSPacket] = []
    /// Traffic in no flow, by the index of the interface.
    private(set) var remainders: [UInt32: FlowRemainder] = [:]
    /// The indices of interfaces that are gone, in order.
    private(set) var goneInterfaces: [UInt32] = []
    /// The number of births.
    private(set) var births = 0
    /// Contradictions to the contract of a batch.
    private(set) var contradictions: [String] = []
    /// The accounts of the last reading.
    private(set) var accounts: [InterfaceAccount] = []
    private var datapath: Datapath?

    /// Starts a datapath and attaches it to what it selects.
    init(in namespace: NetworkNamespace, _ configuration: DatapathConfiguration) throws {
        self.namespace = namespace
        try namespace.run {
            let datapath = try Datapath(configuration)
            datapath.onNotice = { [unowned self] in notices.append($0) }
            try datapath.attach()
            self.datapath = datapath
        }
    }

    /// Programs on a qdisc are found in their namespace only.
    deinit {
        try? namespace.run { release() }
    }

    /// Runs a closure with the datapath on a thread inside the namespace.
    func perform<Value>(_ body: (Datapath) throws -> Value) throws -> Value {
        try namespace.run { try body(try #require(datapath)) }
    }

    /// Reads everything that was counted.
    func scan() throws {
        try perform { datapath in
            while datapath.drainOverflow() {}
            try datapath.scan { self.take($0) }
            read(datapath)
        }
    }

    /// Reads everything that was counted, and commits it as if the records were written.
    func scanAndCommit() throws {
        try perform { datapath in
            while datapath.drainOverflow() {}
            let epoch = try datapath.scan(closesEpoch: true) { self.take($0) }
            read(datapath)
            datapath.commit(Datapath.Flush(epoch: try #require(epoch), monotonic: 1, boot: 2, wall: 3))
        }
    }

    /// Ends like a killed process: nothing is read, detached or removed.
    func die() throws {
        try namespace.run {
            datapath?.leave()
            release()
        }
    }

    /// All denied traffic that entered.
    var denied: TrafficCounters {
        let ofFlows = drops.values.reduce(TrafficCounters.zero) { $0 + $1.ingress }
        return remainders.values.reduce(ofFlows) { $0 + $1.deniedIngress + $1.deniedUncounted }
    }

    /// Everything that was handed on of what crossed the interfaces.
    var handedOn: Traffic {
        var sum = Traffic()
        for flow in flows.values {
            sum.ingress += flow.ingress
            sum.egress += flow.egress
        }
        for remainder in remainders.values {
            sum.ingress += remainder.ingress
            sum.egress += remainder.egress
        }
        return sum
    }

    /// Reads until as many frames have entered through an interface; they may wait in a queue behind the cable.
    func settle(_ name: String, ingress frames: UInt64) throws {
        let isSettled = try eventually {
            try scan()
            return try account(of: name).ingress.skb.packets >= frames
        }
        try #require(isSettled, "\(name): \(frames) frames should enter; \(accounts)")
    }

    /// Takes in changes of interfaces; returns whether the host's addresses changed.
    @discardableResult
    func follow() throws -> Bool {
        try perform { datapath in
            let hasChanged = try datapath.followInterfaces { self.take($0) }
            accounts = datapath.accounts
            return hasChanged
        }
    }

    /// Detaches, reads the rest, and releases everything.
    func stop() throws {
        try namespace.run {
            try datapath?.detach { self.take($0) }
            if let datapath { read(datapath) }
            datapath?.unpin()
            release()
        }
    }

    /// Closes everything; its locks and links are free then.
    private func release() {
        datapath = nil
        SpawnLock.barrier()
    }

    private func read(_ datapath: Datapath) {
        accounts = datapath.accounts
        droppedPackets = datapath.droppedPackets.reduce(into: [:]) { sums, dropped in
            sums[dropped.interface, default: [:]][dropped.reason.name, default: 0] += dropped.packets
        }
    }

    func take(_ batch: FlowBatch) {
        dns += batch.dns
        goneInterfaces += batch.goneInterfaces
        for birth in batch.births {
            if living[birth.flowID] != nil { contradictions.append("\(birth.flowID) is born twice") }
            living[birth.flowID] = birth.key
            if birth.resumed { resumed.insert(birth.flowID) } else { resumed.remove(birth.flowID) }
            roles[birth.key] = birth.role
            places[birth.key] = birth.nearPlace
            marks[birth.key] = birth.marks
            births += 1
        }
        for delta in batch.deltas {
            guard let key = living[delta.flowID] else {
                contradictions.append("\(delta.flowID) counts but does not live")
                continue
            }
            flows[key, default: Traffic()].ingress += delta.ingress
            flows[key, default: Traffic()].egress += delta.egress
        }
        for drop in batch.drops {
            guard let key = living[drop.flowID] else {
                contradictions.append("\(drop.flowID) loses but does not live")
                continue
            }
            drops[key, default: Dropped()].add(drop)
        }
        for more in batch.flags {
            guard let key = living[more.flowID] else {
                contradictions.append("\(more.flowID) has flags but does not live")
                continue
            }
            flags[key, default: []].formUnion(more.flags)
        }
        for socket in batch.sockets {
            guard let key = living[socket.flowID] else {
                contradictions.append("\(socket.flowID) has a socket but does not live")
                continue
            }
            if let statistics = socket.statistics {
                var both = sockets[key] ?? (nil, nil)
                let end = socket.isNear ? \(near: TCPStatistics?, far: TCPStatistics?).near : \.far
                if both[keyPath: end] == nil {
                    both[keyPath: end] = statistics
                } else {
                    both[keyPath: end]?.add(statistics)
                }
                sockets[key] = both
            }
            if let process = socket.process {
                var both = processes[key] ?? (nil, nil)
                let end = socket.isNear ? \(near: FlowProcesses?, far: FlowProcesses?).near : \.far
                if both[keyPath: end] == nil {
                    both[keyPath: end] = .init(process)
                } else {
                    both[keyPath: end]?.add(process)
                }
                processes[key] = both
            }
            if let times = socket.handshake {
                var both = handshakes[key] ?? (nil, nil)
                if socket.isNear { both.near.add(times) } else { both.far.add(times) }
                handshakes[key] = both
            }
        }
        for remainder in batch.remainders {
            remainders[remainder.interfaceIndex, default: remainder.empty].add(remainder)
        }
        for number in batch.ends where living.removeValue(forKey: number) == nil {
            contradictions.append("\(number) ends but does not live")
        }
    }

    /// The account of an interface; the last one, if it was watched more than once.
    func account(of name: String) throws -> InterfaceAccount {
        try #require(accounts.last { $0.name == name })
    }

    /// The names of the attached interfaces, in the order of their notices.
    var attached: [String] {
        notices.compactMap { if case .attached(let name, _, _, _, _) = $0 { name } else { nil } }
    }

    /// The names of the detached interfaces, in the order of their notices.
    var detached: [String] {
        notices.compactMap { if case .detached(let name, _) = $0 { name } else { nil } }
    }
}

extension FlowRemainder {
    /// The same with nothing counted.
    fileprivate var empty: FlowRemainder { FlowRemainder(interfaceIndex: interfaceIndex, role: role, local: local) }

    /// Adds what came later.
    fileprivate mutating func add(_ next: FlowRemainder) {
        ingress += next.ingress
        egress += next.egress
        deniedIngress += next.deniedIngress
        deniedEgress += next.deniedEgress
        deniedUncounted += next.deniedUncounted
        local = next.local
    }
}

// MARK: - Networks

/// Two namespaces and a cable.
struct Cable {
    let left: NetworkNamespace
    let right: NetworkNamespace

    init() throws {
        left = try NetworkNamespace()
        right = try NetworkNamespace()
        _ = try VethPair(
            VethEnd(left, addresses: ["10.1.0.1/24", "fd01::1/64"]),
            VethEnd(right, addresses: ["10.1.0.2/24", "fd01::2/64"])
        )
    }

    /// Sends the same UDP frame from left to right, and returns its IP bytes.
    @discardableResult
    func send(times: Int, payload: Int = 100) throws -> Int {
        let packet = Packet.udp(
            from: try LabAddress("10.1.0.1"),
            port: 1000,
            to: try LabAddress("10.1.0.2"),
            port: 2000,
            payload: [UInt8](repeating: 1, count: payload)
        )
        try FrameSender("eth0", in: left).send(Packet.ethernet(payload: packet), times: times)
        return packet.count
    }
}

extension NetworkNamespace {
    /// Runs many `ip` commands in one process.
    func ipBatch(_ lines: [String]) throws {
        try command(["ip", "-batch", "-"], input: lines.map { $0 + "\n" }.joined())
    }
}

/// Evaluates the condition until it is true; returns false after a minute.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        usleep(1000)
    }
    return false
}

// MARK: - The calling thread

/// System calls of a thread for itself that the C library's module does not have.
enum ThreadAlone {
    private typealias Unshare = @convention(c) (Int32) -> Int32
    private typealias SetCapabilities = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int32

    private typealias Affinity = @convention(c) (Int32, Int, UnsafeMutablePointer<UInt64>) -> Int32

    /// The processors that the thread may run on, one bit each.
    static func processors() throws -> UInt64 {
        var sets = [UInt64](repeating: 0, count: 16)
        try #require(function("sched_getaffinity", as: Affinity.self)(0, sets.count * 8, &sets) == 0)
        return sets[0]
    }

    /// Lets the thread run on these processors only.
    static func keep(toProcessors bits: UInt64) throws {
        var sets = [bits] + [UInt64](repeating: 0, count: 15)
        try #require(function("sched_setaffinity", as: Affinity.self)(0, sets.count * 8, &sets) == 0)
    }

    private static func function<Function>(_ name: String, as type: Function.Type) throws -> Function {
        let address = try #require(dlsym(dlopen(nil, RTLD_NOW), name))
        return unsafeBitCast(address, to: type)
    }

    /// Gives the thread, and those that it starts, a table of descriptors of its own, with the standard ones in it:
    /// other tests open and close theirs meanwhile.
    static func takeOwnDescriptors() throws {
        let cloneFiles: Int32 = 0x400
        try #require(try function("unshare", as: Unshare.self)(cloneFiles) == 0)
        for number in try descriptors() where number > 2 { close(number) }
    }

    /// The open descriptors.
    static func descriptors() throws -> Set<Int32> {
        let folder = try #require(opendir("/proc/thread-self/fd"))
        defer { closedir(folder) }
        var numbers: Set<Int32> = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name), number != dirfd(folder) { numbers.insert(number) }
        }
        return numbers
    }

    /// Changes the user that the thread acts for.
    ///
    /// The C library's function changes it for all threads.
    static func setEffectiveUser(_ user: Int) throws {
        typealias SystemCall = @convention(c) (Int, Int, Int, Int) -> Int
        #if arch(x86_64)
        let setresuid = 117
        #else
        let setresuid = 147
        #endif
        let call = try function("syscall", as: SystemCall.self)
        try #require(call(setresuid, -1, user, -1) == 0)
    }

    /// Keeps only these capabilities (one bit each, capabilities(7)), for good.
    static func keepCapabilities(_ bits: UInt64) throws {
        // struct __user_cap_header_struct: _LINUX_CAPABILITY_VERSION_3, this thread.
        var header: [UInt32] = [0x2008_0522, 0]
        let halves = [UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32)]
        // Two struct __user_cap_data_struct: effective, permitted, inheritable.
        var data: [UInt32] = halves.flatMap { [$0, $0, 0] }
        let capset = try function("capset", as: SetCapabilities.self)
        try #require(
            header.withUnsafeMutableBytes { header in
                data.withUnsafeMutableBytes { data in
                    guard let first = header.baseAddress, let second = data.baseAddress else { return false }
                    return capset(first, second) == 0
                }
            }
        )
    }
}

// MARK: - Numbers

/// A repeatable source of numbers (SplitMix64).
struct RepeatableNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

extension TrafficCounters {
    /// Returns the difference to an earlier reading.
    func since(_ earlier: TrafficCounters) -> TrafficCounters {
        TrafficCounters(packets: packets &- earlier.packets, bytes: bytes &- earlier.bytes)
    }
}

/// Whether a descriptor becomes readable in time (milliseconds).
func isReadable(_ descriptor: Int32, within milliseconds: Int32) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, milliseconds) == 1
}
