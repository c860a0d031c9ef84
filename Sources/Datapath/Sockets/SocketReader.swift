package import CWeir
import Glibc

/// Reads the node's TCP sockets in all network namespaces (bpf/sockets.bpf.c), and the owners of older UDP sockets.
///
/// The BPF programs are not in the path of packets. Sockets that are older than the reader are found once, among the files of
/// the processes in its PID namespace; in a container, this requires the host's PID namespace.
///
/// `@safe`: the ring's memory lives as long as the reader, and a report is copied before its space in the ring is released.
@safe
package final class SocketReader {
    private var ring = unsafe weir_ring()
    /// Becomes readable when the programs wake it.
    private let events: FileDescriptor
    private let reports: FileDescriptor
    private let passProgram: FileDescriptor
    private let seedProgram: FileDescriptor
    private let losses: MappedMap<UInt64>
    /// The shares of interfaces, by position.
    let shares: MappedMap<weir_socket_share>
    /// The positions of interfaces that have a share.
    private var positions: Set<Int> = []
    private var links: [SharedDescriptor] = []
    /// The programs that are attached to tracepoints.
    private var attached: [SharedDescriptor] = []
    /// The reason why sockets that are older than the reader are not read; nil if they are.
    private(set) var olderUnavailable: DatapathError?
    /// The reason why listening sockets, and the sockets that they accept, get no owner; nil if they get one.
    private(set) var ownersUnavailable: DatapathError?
    private var pass = weir_socket_pass()
    /// The map of owners, in the storage of sockets.
    let owners: FileDescriptor
    /// The map of ``missed``.
    let lossMap: FileDescriptor

    /// The programs that are attached to tracepoints.
    static let tracepoints = [
        "weir_socket_owner", "weir_socket_state", "weir_socket_destroy", "weir_socket_retransmit",
    ]
    /// The shares that are not those of a watched interface.
    private static let otherShares: Set = [Int(WEIR_SOCKET_SHARE_UNWATCHED), Int(WEIR_SOCKET_SHARE_SILENT)]
    /// The maximum number of program runs in one pass; each run may fill half of the ring.
    private static let runLimit = 64

    /// The flow counter's interfaces, in whose shares sockets count.
    private struct Surroundings {
        /// The configuration of the flow counter.
        let configuration: weir_config
        /// The descriptor of its map of accounts.
        let accounts: Int32
        /// The positions of its interfaces.
        let positions: Set<Int>

        func prepare(_ object: borrowing ProgramObject) throws(DatapathError) {
            try object.setConstant(configuration, named: "config")
            try object.share(accounts, as: "accounts")
        }
    }

    /// Loads the programs for all interfaces, attaches them, and finds the existing sockets.
    ///
    /// - Parameter usesFasterPass: whether sockets are read by plain loads where the kernel can.
    /// - Throws: ``DatapathError`` if the kernel rejects one of the programs.
    package convenience init(usesFasterPass: Bool = true) throws(DatapathError) {
        try self.init(attaching: Self.tracepoints, usesFasterPass: usesFasterPass)
    }

    /// The same, and only some of the programs are attached to their tracepoints.
    convenience init(attaching tracepoints: [String], usesFasterPass: Bool = true) throws(DatapathError) {
        try self.init(nil, attaching: tracepoints, usesFasterPass: usesFasterPass)
        findOlder()
    }

    /// Loads the programs beside a flow counter, whose interfaces have shares, and roles that decide which sockets report.
    ///
    /// Existing sockets are found by ``findOlder()``.
    ///
    /// - Parameters:
    ///   - counter: the flow counter.
    ///   - positions: the positions of its interfaces.
    /// - Throws: ``DatapathError`` if the kernel rejects one of the programs.
    convenience init(beside counter: borrowing KernelPrograms, positions: Set<Int>) throws(DatapathError) {
        let (configuration, accounts) = try (counter.configuration, counter.map("accounts"))
        try self.init(Surroundings(configuration: configuration, accounts: accounts, positions: positions))
    }

    private init(
        _ surroundings: Surroundings?,
        attaching tracepoints: [String] = SocketReader.tracepoints,
        usesFasterPass: Bool = true
    ) throws(DatapathError) {
        let object = try Self.load(beside: surroundings)
        owners = try Self.copy(object.map("socket_owners"))
        let map = try object.map("socket_reports")
        reports = try Self.copy(map)
        if usesFasterPass, let faster = try? Self.loadFasterPass(of: object, beside: surroundings) {
            passProgram = faster
        } else {
            passProgram = try Self.copy(object.program(Self.passName))
        }
        seedProgram = try Self.copy(object.program("weir_socket_seed"))
        events = FileDescriptor(owning: try checked("wait for the ring of sockets", weir_ring_watch(map)))
        lossMap = try Self.copy(object.map("socket_losses"))
        losses = try MappedMap(descriptor: lossMap.number, name: "socket_losses", count: 1)
        shares = try MappedMap(
            descriptor: object.map("socket_shares"),
            name: "socket_shares",
            count: Int(WEIR_SOCKET_SHARES)
        )
        try checked("open the ring of sockets", unsafe weir_ring_open(map, Int(WEIR_SOCKET_RING), &ring))
        divide(among: surroundings?.positions ?? [])
        for name in tracepoints {
            let program = try object.program(name)
            links.append(SharedDescriptor(owning: try checked("attach \(name)", bpf_raw_tracepoint_open(nil, program))))
            attached.append(try SharedDescriptor(copying: program, of: name))
        }
        ownersUnavailable = ownerFailure(of: SOCK_STREAM)
    }

    /// Finds the sockets that are older than the programs; if that fails, ``olderUnavailable`` has the reason.
    ///
    /// Call it once, after the programs for new UDP sockets are attached, too.
    func findOlder() {
        do throws(DatapathError) {
            try TaskIterator.run(seedProgram.number)
        } catch {
            olderUnavailable = error
        }
    }

    /// Tests whether a new socket of this process gets an owner.
    ///
    /// - Parameter type: SOCK_STREAM for a TCP socket, which listens on a loopback address during the test.
    /// - Returns: the reason why it gets none; nil if it gets one, or cannot be created.
    func ownerFailure(of type: __socket_type) -> DatapathError? {
        let socket = FileDescriptor(owning: Glibc.socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0))
        guard socket.number >= 0, type != SOCK_STREAM || Self.listens(socket) else { return nil }
        var (key, storage) = (socket.number, weir_socket_storage())
        if unsafe bpf_map_lookup_elem(owners.number, &key, &storage) == 0, storage.owner.process != 0 { return nil }
        // This allocates the same storage as the program, and returns the error if it fails.
        let result = unsafe bpf_map_update_elem(owners.number, &key, &storage, UInt64(BPF_ANY))
        guard result < 0 else {
            return .unsuitable(reason: "the kernel does not call the program for new sockets", advice: "")
        }
        return .system(operation: "keep an owner in a socket", errno: -result, advice: Self.storageAdvice)
    }

    private static let storageAdvice = """
        raise the sysctl net.core.optmem_max to 16384 or more; in a virtual machine give it a processor with cmpxchg16b (cx16), \
        which new kernels need
        """

    /// Makes a socket listen on a loopback address, even if the loopback interface is down.
    private static func listens(_ socket: borrowing FileDescriptor) -> Bool {
        var isFree: Int32 = 1
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard unsafe setsockopt(socket.number, Int32(IPPROTO_IP), IP_FREEBIND, &isFree, 4) == 0 else { return false }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(socket.number, $0, size) }
        }
        return result == 0 && listen(socket.number, 1) == 0
    }

    private static let passName = "weir_socket_pass"

    /// Loads the programs; nothing is attached.
    ///
    /// - Returns: the loaded object.
    /// - Throws: the kernel's reason to refuse it.
    static func load() throws(DatapathError) -> ProgramObject { try load(beside: nil) }

    /// The same; before Linux 6.1 the sleepable program of the pass can use only preallocated maps, and the whole map of sockets
    /// is allocated at once.
    private static func load(beside surroundings: Surroundings?) throws(DatapathError) -> ProgramObject {
        do throws(DatapathError) {
            return try load(growing: true, beside: surroundings)
        } catch {
            guard let object = try? load(growing: false, beside: surroundings) else { throw error }
            return object
        }
    }

    /// Returns the reason why the iterator over files cannot be opened; nil if it can.
    ///
    /// Nothing is read.
    static func iteratorFailure() -> DatapathError? {
        do throws(DatapathError) {
            // The object owns the program's descriptor, and must live until the iterator is open.
            let object = try load()
            _ = try TaskIterator.open(object.program("weir_socket_seed"))
            extendLifetime(object)
            return nil
        } catch {
            return error
        }
    }

    private static func load(
        growing: Bool,
        beside surroundings: Surroundings?
    ) throws(DatapathError) -> ProgramObject {
        let object = try ProgramObject(.sockets)
        if !growing { try object.setFlags(0, of: "sockets") }
        try prepare(object, beside: surroundings)
        try object.load()
        return object
    }

    /// Loads the program of a pass that needs Linux 6.2, beside the other programs.
    ///
    /// - Returns: its descriptor.
    private static func loadFasterPass(
        of sockets: borrowing ProgramObject,
        beside surroundings: Surroundings?
    ) throws(DatapathError) -> FileDescriptor {
        let object = try ProgramObject(.socketPass)
        for map in sharedMaps where object.has(map) { try object.share(sockets.map(map), as: map) }
        try prepare(object, beside: surroundings)
        try object.load()
        return try copy(object.program(passName))
    }

    private static func prepare(
        _ object: borrowing ProgramObject,
        beside surroundings: Surroundings?
    ) throws(DatapathError) {
        for map in unusedMaps where object.has(map) { try object.leaveOut(map: map) }
        var configuration = weir_socket_config()
        configuration.netns = try HomeNamespace.number()
        try object.setConstant(configuration, named: "socket_config")
        try surroundings?.prepare(object)
    }

    private static let sharedMaps = [
        "sockets", "socket_states", "socket_groups", "socket_shares", "socket_use", "socket_owners", "socket_losses",
        "socket_reports", "accounts",
    ]

    /// Maps of the flow counter's headers that no program here uses.
    private static let unusedMaps = ["interfaces", "table_use"]

    deinit {
        if unsafe ring.consumer != nil { unsafe weir_ring_close(&ring) }
    }

    /// Readable when last reports fill the ring.
    var descriptor: Int32 { events.number }

    /// The number of sockets that exceeded the map, owners without storage in their socket, last reports that exceeded the
    /// ring, and events that came while the same program ran on their CPU: the kernel does not run it then.
    var missed: UInt64 {
        attached.reduce(unsafe weir_load_u64(losses[0])) { $0 + ProgramTime.misses(of: $1.number) }
    }

    /// Gives each interface an equal part of the half of the ring, and of the kept sockets, that is reserved for shares.
    func divide(among positions: Set<Int>) {
        self.positions = positions
        let all = positions.union(Self.otherShares)
        let parts = UInt32(2 * all.count)
        for position in all {
            unsafe shares[position].pointee.kept.share = UInt32(WEIR_MAX_SOCKETS) / parts
            unsafe shares[position].pointee.ring.share = UInt32(WEIR_SOCKET_RING) / parts
        }
    }

    /// Clears the share of a position whose interface is no longer watched.
    func release(position: Int) {
        unsafe shares[position].pointee = weir_socket_share()
    }

    /// Takes the last reports of connections that have ended.
    package func drain(_ body: (weir_socket_report) -> Void) {
        var (size, behind) = (0, UInt64(0))
        while let record = unsafe weir_ring_next(&ring, &size, &behind) {
            let report = unsafe record.load(as: weir_socket_report.self)
            unsafe weir_ring_advance(&ring, behind)
            body(report)
        }
        for position in positions.union(Self.otherShares) { unsafe shares[position].pointee.ring.bytes = 0 }
    }

    /// Samples the gauges of all sockets that were active since the last time; nothing is reported.
    package func sample() {
        _ = runPass(reports: false)
    }

    /// Requests a report of every socket that was active since its last report, and takes the reports.
    package func read(_ body: (weir_socket_report) -> Void) {
        drain(body)
        var hasMore = runPass(reports: true)
        drain(body)
        for _ in 1..<Self.runLimit where hasMore {
            hasMore = continuePass()
            drain(body)
        }
    }

    /// Runs the program of a pass; returns whether the ring was full before the end.
    private func runPass(reports: Bool) -> Bool {
        pass.number = max(1, pass.number &+ 1)
        pass.reports = reports ? 1 : 0
        return continuePass()
    }

    private func continuePass() -> Bool {
        unsafe weir_syscall_run(passProgram.number, &pass, MemoryLayout<weir_socket_pass>.size) == 1
    }

    private static func copy(_ descriptor: Int32) throws(DatapathError) -> FileDescriptor {
        FileDescriptor(owning: try systemCall("keep a BPF object") { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) })
    }
}
