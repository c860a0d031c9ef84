package import CWeir
import Glibc

/// The node's TCP sockets, in all network namespaces, as separate programs report them (bpf/sockets.bpf.c); also the owners of
/// older UDP sockets.
///
/// These programs are not in the path of a packet. Sockets that are older than the reader are found once, among the files of
/// the processes of its PID namespace; in a container, this requires the host's PID namespace.
///
/// `@safe`: the ring's memory lives as long as the reader, and a report is copied before the ring moves on.
@safe
package final class SocketReader {
    private var ring = unsafe weir_ring()
    /// Becomes readable when the programs wake it.
    private let events: FileDescriptor
    private let reports: FileDescriptor
    private let passProgram: FileDescriptor
    private let losses: MappedMap<UInt64>
    private var links: [SharedDescriptor] = []
    /// The reason why sockets that are older than the reader are not read; nil if they are.
    private(set) var olderUnavailable: DatapathError?
    private var pass = weir_socket_pass()
    /// The map of owners, in the storage of sockets.
    let owners: FileDescriptor

    /// The programs that wait for an event.
    private static let tracepoints = ["weir_socket_state", "weir_socket_retransmit", "weir_socket_end"]
    /// The most runs of the program in one pass; each run may half fill the ring.
    private static let runLimit = 64

    /// Loads the programs, attaches them, and finds the existing sockets.
    ///
    /// - Throws: ``DatapathError`` where the kernel refuses; not if it refuses only the iterator over files.
    package init() throws(DatapathError) {
        let object = try Self.load()
        owners = try Self.copy(object.map("socket_owners"))
        let map = try object.map("socket_reports")
        reports = try Self.copy(map)
        passProgram = try Self.copy(object.program("weir_socket_pass"))
        events = FileDescriptor(owning: try checked("wait for the ring of sockets", weir_ring_watch(map)))
        losses = try MappedMap(descriptor: object.map("socket_losses"), name: "socket_losses", count: 1)
        try checked("open the ring of sockets", unsafe weir_ring_open(map, Int(WEIR_SOCKET_RING), &ring))
        for name in Self.tracepoints {
            let link = bpf_raw_tracepoint_open(nil, try object.program(name))
            links.append(SharedDescriptor(owning: try checked("attach \(name)", link)))
        }
        do throws(DatapathError) {
            try Self.readToEnd(object.program("weir_socket_seed"))
        } catch {
            olderUnavailable = error
        }
    }

    /// Loads the programs; nothing is attached.
    ///
    /// Before Linux 6.1 the program of the pass, which may sleep, can use no map that grows: there the whole map of sockets is
    /// allocated at once.
    static func load() throws(DatapathError) -> ProgramObject {
        do throws(DatapathError) {
            return try load(growing: true)
        } catch {
            guard let object = try? load(growing: false) else { throw error }
            return object
        }
    }

    /// Returns the reason why the iterator over files cannot be opened; nil if it can.
    ///
    /// Nothing is read.
    static func iteratorFailure() -> DatapathError? {
        do throws(DatapathError) {
            // The program's descriptor is the object's, which must live until the iterator is open.
            let object = try load()
            _ = try openIterator(object.program("weir_socket_seed"))
            extendLifetime(object)
            return nil
        } catch {
            return error
        }
    }

    private static func load(growing: Bool) throws(DatapathError) -> ProgramObject {
        let object = try ProgramObject(.sockets)
        if !growing { try object.setFlags(0, of: "sockets") }
        var configuration = weir_socket_config()
        configuration.netns = try HomeNamespace.number()
        try object.setConstant(configuration, named: "socket_config")
        try object.load()
        return object
    }

    deinit {
        if unsafe ring.consumer != nil { unsafe weir_ring_close(&ring) }
    }

    /// Readable when reports of sockets that are gone fill the ring.
    var descriptor: Int32 { events.number }

    /// Sockets that found no room in the map, and last reports that found none in the ring.
    var missed: UInt64 { unsafe weir_load_u64(losses[0]) }

    /// Takes the last reports of sockets that are gone.
    func drain(_ body: (weir_socket_report) -> Void) {
        var (size, behind) = (0, UInt64(0))
        while let record = unsafe weir_ring_next(&ring, &size, &behind) {
            let report = unsafe record.load(as: weir_socket_report.self)
            unsafe weir_ring_advance(&ring, behind)
            body(report)
        }
    }

    /// Requests a report of every socket that has changed, and takes the reports.
    package func read(_ body: (weir_socket_report) -> Void) {
        drain(body)
        pass.number = max(1, pass.number &+ 1)
        for _ in 0..<Self.runLimit {
            let result = unsafe weir_syscall_run(passProgram.number, &pass, MemoryLayout<weir_socket_pass>.size)
            drain(body)
            if result != 1 { return }
        }
    }

    private static func copy(_ descriptor: Int32) throws(DatapathError) -> FileDescriptor {
        FileDescriptor(owning: try systemCall("keep a BPF object") { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) })
    }

    private static func openIterator(_ program: Int32) throws(DatapathError) -> FileDescriptor {
        FileDescriptor(owning: try checked("open the iterator over files", weir_iterator_open(program)))
    }

    /// Runs an iterator to its end.
    private static func readToEnd(_ program: Int32) throws(DatapathError) {
        let iterator = try openIterator(program)
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = try systemCall("read the iterator over files") {
                Int32(truncatingIfNeeded: unsafe Glibc.read(iterator.number, &bytes, bytes.count))
            }
            if count == 0 { return }
        }
    }
}
