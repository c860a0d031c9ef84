import CWeir
import Glibc

/// Reads the owners of the UDP sockets that send packets, in all network namespaces (bpf/datagrams.bpf.c).
///
/// The flow counter passes the first packet of each UDP flow and direction to these programs, after it has counted the packet.
/// A program at the root of the cgroup v2 hierarchy stores the owner of a socket when the socket is created; ``SocketReader``
/// stores the owners of older sockets.
///
/// `@safe`: a report is copied before its space in the ring is released.
@safe
package final class DatagramReader {
    private let ring: SharedRing
    private var link: FileDescriptor?
    /// The reason why the owners of new sockets are not stored; nil if they are.
    private(set) var newUnavailable: DatapathError?

    private static let parts = SharedRing.Parts(
        content: "UDP sockets",
        ring: "datagram_reports",
        bytes: Int(WEIR_DATAGRAM_RING),
        shares: "datagram_shares",
        places: "datagram_programs",
        programs: [(WEIR_INGRESS, "weir_datagram_ingress"), (WEIR_EGRESS, "weir_datagram_egress")]
    )
    /// Maps of the flow counter's headers that no program here uses.
    private static let unusedMaps = [
        "flows", "flow_rest", "occupied", "interfaces", "table_use", "overflow", "fragments", "last_skb", "handshakes",
        "handshaken", "uppers", "fence",
    ]
    /// Loads the programs, and lets the flow counter pass packets to them.
    ///
    /// - Throws: ``DatapathError`` if the kernel rejects one of the programs. If only the one for new sockets cannot be attached,
    ///   ``newUnavailable`` has the reason.
    package init(beside counter: borrowing KernelPrograms, _ sockets: SocketReader) throws(DatapathError) {
        let object = try ProgramObject(.datagrams)
        try object.setConstant(counter.configuration, named: "config")
        try object.share(counter.map("accounts"), as: "accounts")
        try object.share(sockets.owners.number, as: "socket_owners")
        try object.share(sockets.lossMap.number, as: "socket_losses")
        for name in Self.unusedMaps where object.has(name) { try object.leaveOut(map: name) }
        try object.load()
        ring = try SharedRing(Self.parts, of: object, beside: counter)
        do throws(DatapathError) {
            link = try Self.watchNew(by: object.program("weir_datagram_create"))
            newUnavailable = sockets.ownerFailure(of: SOCK_DGRAM)
        } catch {
            newUnavailable = error
        }
        try ring.begin(object)
    }

    /// Attaches a program to the root of the hierarchy of cgroup v2.
    private static func watchNew(by program: Int32) throws(DatapathError) -> FileDescriptor {
        guard let root = CgroupTree.openRoot() else {
            throw .system(
                operation: "find the root of cgroup v2",
                errno: ENOENT,
                advice: "mount the host's /sys/fs/cgroup at /host/sys/fs/cgroup"
            )
        }
        let link = bpf_link_create(program, root.number, BPF_CGROUP_INET_SOCK_CREATE, nil)
        return FileDescriptor(owning: try checked("attach to the root of cgroup v2", link))
    }

    /// Readable when reports fill the ring.
    var descriptor: Int32 { ring.descriptor }

    /// The number of reports of interfaces at these positions that were lost because the ring was full.
    func lost(at positions: Set<Int>) -> UInt64 { ring.lost(at: positions) }

    /// Assigns each interface its share of the ring.
    func divide(among positions: Set<Int>) { ring.divide(among: positions) }

    /// Clears the loss count of a position after the programs of its interface were detached.
    func release(position: Int) { ring.release(position: position) }

    /// Takes all reports.
    func drain(positions: Set<Int>, _ body: (weir_socket_report) -> Void) {
        unsafe ring.drain(positions: positions) { record in
            var report = weir_socket_report()
            report.of = unsafe record.load(as: weir_socket.self)
            body(report)
            return true
        }
    }
}
