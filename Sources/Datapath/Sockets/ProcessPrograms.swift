import CWeir
import FlowModel
import Glibc

/// Finds the programs that processes run, and their arguments (bpf/processes.bpf.c, `/proc`).
///
/// A process is looked up once, when its first socket is reported; again with the next report if the tree of cgroups or its
/// arguments could not be read for it. The path is the path of its executable; if the process has ended or is hidden, it is the
/// path that was passed to exec(). The arguments come from exec(), or else from `/proc`.
final class ProcessPrograms {
    /// The key of a process and its program; the name distinguishes the programs that a process executes one after another.
    private struct Key: Hashable {
        let process: UInt32
        let start: UInt64
        /// The bytes of the name as reported by the BPF programs.
        let name: (UInt64, UInt64)

        init(_ owner: weir_socket_owner) {
            (process, start) = (owner.process, owner.start)
            name = unsafe withUnsafeBytes(of: owner.name) { bytes in
                unsafe (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
        }

        static func == (left: Key, right: Key) -> Bool {
            left.process == right.process && left.start == right.start && left.name == right.name
        }

        func hash(into hasher: inout Hasher) {
            // Processes that begin at the same time have different numbers.
            hasher.combine(start ^ UInt64(process) << 32)
        }
    }

    /// The maximum number of stored processes.
    private static let limit = 1 << 13
    /// The maximum number of bytes of a path, and of arguments (WEIR_PROCESS_TEXT).
    private static let textBytes = Int(WEIR_PROCESS_TEXT)

    private let readsPaths: Bool
    private let readsArguments: Bool
    private var known: [Key: FlowProcess] = [:]
    /// The keys of ``known`` whose arguments are not read yet.
    private var late: Set<Key> = []
    private(set) var paths: ProcessTexts?
    private var executables: ExecutableFinder?
    private var arguments: ProcessTexts?
    private var argumentReader: ArgumentReader?
    private var containers = CgroupTree()
    private var links: [SharedDescriptor] = []
    /// The reason why programs are not stored at exec(); nil if they are.
    ///
    /// In that case, processes that end before they are looked up have no path and no arguments.
    private(set) var unavailable: DatapathError?

    /// Loads and attaches the programs; if the kernel rejects them, only `/proc` is used.
    init(paths readsPaths: Bool, arguments readsArguments: Bool) {
        (self.readsPaths, self.readsArguments) = (readsPaths, readsArguments)
        guard readsPaths || readsArguments else { return }
        do throws(DatapathError) {
            if readsArguments { argumentReader = try ArgumentReader() }
            let object = try Self.load(paths: readsPaths, arguments: readsArguments)
            if readsPaths {
                executables = try ExecutableFinder(object)
                paths = try attach("weir_process_path", of: object, keeping: "process_paths", "process_path_groups")
            }
            guard readsArguments else { return }
            arguments = try attach(
                "weir_process_arguments",
                of: object,
                keeping: "process_arguments",
                "process_argument_groups"
            )
        } catch {
            links = []
            (paths, arguments, executables) = (nil, nil, nil)
            unavailable = error
        }
    }

    /// Loads the requested programs, without the others; nothing is attached.
    static func load(paths: Bool, arguments: Bool) throws(DatapathError) -> ProgramObject {
        let object = try ProgramObject(.processes)
        if !paths {
            try object.leaveOut("weir_process_path")
            try object.leaveOut("weir_process_find")
            for map in ["process_paths", "process_path_groups", "process_request"] { try object.leaveOut(map: map) }
        }
        if !arguments {
            try object.leaveOut("weir_process_arguments")
            for map in ["process_arguments", "process_argument_groups"] { try object.leaveOut(map: map) }
        }
        try object.load()
        return object
    }

    private func attach(
        _ program: String,
        of object: borrowing ProgramObject,
        keeping map: String,
        _ groups: String
    ) throws(DatapathError) -> ProcessTexts {
        let link = bpf_raw_tracepoint_open(nil, try object.program(program))
        links.append(SharedDescriptor(owning: try checked("attach \(program)", link)))
        return try ProcessTexts(
            all: SharedDescriptor(copying: object.map(map), of: map),
            groups: SharedDescriptor(copying: object.map(groups), of: groups)
        )
    }

    /// Returns the process that owns a socket, with the known facts about its program; nil if the owner is not known.
    func process(_ owner: weir_socket_owner) -> FlowProcess? {
        guard owner.process != 0 else { return nil }
        let key = Key(owner)
        if let known = known[key] { return late.contains(key) ? complete(known, of: owner, as: key) : known }
        let name = unsafe withUnsafeBytes(of: owner.name) { bytes in unsafe ProcessName(bytes) }
        let container = container(of: owner)
        let arguments = readsArguments ? argumentBytes(of: owner) : .read(nil)
        let process = FlowProcess(
            id: owner.process,
            name: readsPaths ? ProcessName(name, path: path(of: owner)) : name,
            arguments: Self.text(arguments),
            container: container
        )
        // Its next report may find the container.
        if container == nil, !containers.isLookedUp(owner.cgroup) { return process }
        if known.count == Self.limit {
            known.removeAll()
            late.removeAll()
        }
        known[key] = process
        if arguments == .late { late.insert(key) }
        return process
    }

    /// Adds the arguments of a process that were read too late for its first report, if they are read by now.
    private func complete(_ process: FlowProcess, of owner: weir_socket_owner, as key: Key) -> FlowProcess {
        guard let answer = argumentReader?.arguments(of: ProcessIdentity(owner)), answer != .late else {
            return process
        }
        late.remove(key)
        let complete = FlowProcess(
            id: process.id,
            name: process.name,
            arguments: Self.text(answer),
            container: process.container
        )
        known[key] = complete
        return complete
    }

    /// Returns the container of a process: by its cgroup at the creation of the socket, or else by `/proc` if it is alive.
    private func container(of owner: weir_socket_owner) -> String? {
        if let known = containers.container(of: owner.cgroup) { return known }
        guard let bytes = ProcessFile.bytes("/proc/\(owner.process)/cgroup", atMost: 4096),
            ProcessIdentity(owner).isAlive
        else { return nil }
        return ContainerName.identifier(inMemberships: String(decoding: bytes, as: UTF8.self))
    }

    private func path(of owner: weir_socket_owner) -> String? {
        if let path = executables?.path(of: owner).flatMap({ Self.path($0[...]) }) { return path }
        var bytes = [UInt8](repeating: 0, count: Self.textBytes)
        let count = unsafe readlink("/proc/\(owner.process)/exe", &bytes, bytes.count)
        if count > 0, ProcessIdentity(owner).isAlive { return Self.path(bytes.prefix(count)) }
        return paths?.text(of: owner).flatMap { Self.path($0[...]) }
    }

    /// The text of an absolute path; nil for any other text.
    static func path(_ bytes: ArraySlice<UInt8>) -> String? {
        // A program that was started by its descriptor (fexecve(3)) has no path.
        guard bytes.first == UInt8(ascii: "/"), !bytes.starts(with: "/dev/fd/".utf8) else { return nil }
        let deleted = Array(" (deleted)".utf8)
        let kept = bytes.suffix(deleted.count).elementsEqual(deleted) ? bytes.dropLast(deleted.count) : bytes
        return String(decoding: kept, as: UTF8.self)
    }

    private func argumentBytes(of owner: weir_socket_owner) -> ArgumentReader.Answer {
        if let bytes = arguments?.text(of: owner) { return .read(bytes) }
        return argumentReader?.arguments(of: ProcessIdentity(owner)) ?? .read(nil)
    }

    private static func text(_ arguments: ArgumentReader.Answer) -> String? {
        guard case .read(let bytes?) = arguments else { return nil }
        return self.arguments(bytes[...])
    }

    /// Joins arguments with spaces; nil if there are none.
    static func arguments(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let last = bytes.lastIndex(where: { $0 != 0 }) else { return nil }
        return String(decoding: bytes[...last].lazy.map { $0 == 0 ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }
}
