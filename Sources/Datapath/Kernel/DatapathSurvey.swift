import CWeir
import Glibc

/// Checks what the kernel and the privileges of this process let the datapath do; nothing stays attached.
public enum DatapathSurvey {
    /// Loads the programs as a run does, with a small table, and releases them.
    ///
    /// - Returns: the reason why loading fails; nil if it succeeds.
    public static func loadFailure() -> DatapathError? {
        var configuration = DatapathConfiguration()
        configuration.tableSlots = 1024
        do throws(DatapathError) {
            _ = try Datapath(configuration)
            return nil
        } catch {
            return error
        }
    }

    /// Returns the reason why grace periods of the kernel cannot be expedited while many programs are attached, in plain words;
    /// nil if they can.
    public static func expeditingFailure(bpffs: String) -> String? {
        PinFolder.isMounted(at: bpffs) ? GracePeriods.failure() : "no BPF file system at \(bpffs)"
    }

    /// Returns the reason why some or all drops are not seen; nil if all are seen.
    public static func dropsFailure() -> String? {
        switch DropReasons.read() {
        case .unavailable(let reason): reason
        case .available(let reasons):
            reasons.hidesPlaces ? "the kernel hides the addresses of its functions" : nil
        }
    }

    /// Returns the reason why sockets cannot be read; nil if they can.
    public static func socketsFailure() -> DatapathError? {
        do throws(DatapathError) {
            _ = try SocketReader.load()
            return nil
        } catch {
            return error
        }
    }

    /// Returns the reason why sockets that listen get no owner; nil if they get one.
    ///
    /// The programs for sockets are attached meanwhile, and note the owners of existing sockets.
    ///
    /// - Throws: the reason why no sockets can be read.
    public static func ownersFailure() throws(DatapathError) -> DatapathError? { try SocketReader().ownersUnavailable }

    /// Returns the reason why owners of UDP sockets, or of some of them, cannot be read; nil if all can.
    ///
    /// The programs for sockets are attached meanwhile.
    public static func datagramsFailure() -> DatapathError? {
        do throws(DatapathError) {
            let counter = try KernelPrograms(.flows, tableSlots: 1024, ringBytes: 4 << 20, handsOnDatagrams: true)
            return try DatagramReader(beside: counter, SocketReader()).newUnavailable
        } catch {
            return error
        }
    }

    /// The root of the hierarchy of cgroup v2; nil if it is not seen.
    public static var cgroupRoot: String? { CgroupTree.rootPath }

    /// Returns the reason why programs of processes cannot be remembered; nil if they can.
    public static func processesFailure() -> DatapathError? {
        do throws(DatapathError) {
            _ = try ProcessPrograms.load(paths: true, arguments: true)
            return nil
        } catch {
            return error
        }
    }

    /// Returns the reason why DNS messages cannot be read; nil if they can.
    public static func dnsFailure() -> DatapathError? {
        do throws(DatapathError) {
            let counter = try KernelPrograms(.flows, tableSlots: 1024, ringBytes: 4 << 20, handsOnDNS: true)
            _ = try DNSReader(beside: counter)
            return nil
        } catch {
            return error
        }
    }

    /// Returns the reason why sockets that are older than a run, or some of them, cannot be found, in plain words; nil if all
    /// can.
    public static func olderSocketsFailure() -> String? {
        SocketReader.iteratorFailure().map { "\($0)" } ?? hiddenProcesses
    }

    /// A message if this process is not in the first PID namespace, and therefore sees only some processes; else nil.
    ///
    /// The first one has the inode number PROC_PID_INIT_INO of the kernel.
    static var hiddenProcesses: String? {
        var status = stat()
        guard unsafe stat("/proc/self/ns/pid", &status) == 0, status.st_ino != 0xeffffffc else { return nil }
        return "only processes of this container can be seen"
    }

    /// Returns the reason why the programs of processes that are older than a run are not known; nil if they are.
    public static func olderProcessesFailure() -> String? { hiddenProcesses }

    /// Returns the reason why connection tracking does not answer; nil if it does.
    public static func conntrackFailure() -> DatapathError? {
        do throws(DatapathError) {
            _ = try Conntrack()
            return nil
        } catch {
            return error
        }
    }

    /// The capabilities that this process has, one bit each (capabilities(7)).
    public static var capabilities: UInt64 { weir_effective_capabilities() }

    /// Whether a file system for pinned maps is mounted at a path (proc(5), mounts).
    public static func isBPFFS(_ path: String) -> Bool {
        guard let file = unsafe fopen("/proc/self/mounts", "re") else { return false }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 4096)
        var isMounted = false
        while unsafe fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let words = text.split(separator: " ")
            // The last file system that is mounted there is the visible one.
            if words.count > 2, words[1] == path { isMounted = words[2] == "bpf" }
        }
        return isMounted
    }
}
