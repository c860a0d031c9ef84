import CWeir
import Glibc

/// The folder of bpffs in which maps and links of one network namespace are pinned, so that they outlive the agent.
///
/// It is named after the namespace's cookie.
///
///     /sys/fs/bpf/weir/1/               locked by the agent that runs there
///     /sys/fs/bpf/weir/1/ingress_2      TCX link of the interface with index 2
///     /sys/fs/bpf/weir/1/egress_2
///     /sys/fs/bpf/weir/1/drop           link of the program that counts drops
///     /sys/fs/bpf/weir/1/v5-131072-…/   maps of one layout
package final class PinFolder {
    /// The folder.
    package let path: String
    /// Whether links and filters stay when their owners are released.
    var isLeft = false
    private let parent: String
    private let lock: FileDescriptor

    /// The folder below bpffs.
    static let name = "weir"

    private init(path: String, parent: String, lock: consuming FileDescriptor) {
        self.path = path
        self.parent = parent
        self.lock = lock
    }

    /// Whether bpffs is mounted at a path.
    package static func isMounted(at root: String) -> Bool { unsafe weir_is_bpffs(root) }

    /// Creates the folder of this thread's network namespace, and locks it.
    ///
    /// - Parameter root: where bpffs is mounted.
    /// - Returns: the folder, locked as long as it lives.
    /// - Throws: ``DatapathError/running(pid:)`` if another agent has it.
    package static func take(root: String) throws(DatapathError) -> PinFolder {
        guard isMounted(at: root) else {
            throw .unsuitable(
                reason: "no BPF file system is mounted at \(root)",
                advice: "mount -t bpf bpf \(root); or run with --no-pin, and lose what is counted while no agent runs"
            )
        }
        var cookie: UInt64 = 0
        try checked("find the network namespace", unsafe weir_netns_cookie(&cookie))
        let parent = "\(root)/\(name)"
        let path = "\(parent)/\(cookie)"
        // The previous agent may remove it meanwhile.
        for _ in 0..<16 {
            guard try makeFolder(parent), try makeFolder(path), let lock = try takeLock(path) else { continue }
            return PinFolder(path: path, parent: parent, lock: lock)
        }
        throw .system(operation: "lock \(path)", errno: EAGAIN, advice: "")
    }

    /// Checks that no other agent has the folder of this thread's network namespace; makes and keeps nothing.
    ///
    /// - Parameter root: where bpffs is mounted, or not.
    /// - Throws: ``DatapathError/running(pid:)`` if another agent has it.
    static func checkFree(root: String) throws(DatapathError) {
        var cookie: UInt64 = 0
        guard isMounted(at: root), unsafe weir_netns_cookie(&cookie) >= 0 else { return }
        _ = try takeLock("\(root)/\(name)/\(cookie)")
    }

    /// The folders of all network namespaces below a root.
    package static func all(root: String) -> [String] {
        entries(of: "\(root)/\(name)").map { "\(root)/\(name)/\($0)" }
    }

    /// Creates a folder; false if its parent is gone.
    @discardableResult
    private static func makeFolder(_ path: String) throws(DatapathError) -> Bool {
        guard unsafe mkdir(path, 0o700) != 0, errno != EEXIST else { return true }
        if errno == ENOENT { return false }
        throw .system(operation: "make the folder \(path)", errno: errno, advice: "")
    }

    /// Locks a folder; nil if it was removed meanwhile.
    private static func takeLock(_ path: String) throws(DatapathError) -> FileDescriptor? {
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(operation: "open the folder \(path)", errno: errno, advice: "")
        }
        let folder = FileDescriptor(owning: number)
        var (here, there) = (stat(), stat())
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw .system(operation: "lock \(path)", errno: errno, advice: "") }
            throw unsafe .running(pid: fstat(number, &here) == 0 ? holder(of: here) : 0)
        }
        guard unsafe fstat(number, &here) == 0, unsafe stat(path, &there) == 0, here.st_ino == there.st_ino else {
            return nil
        }
        return .some(consume folder)
    }

    /// The process that has locked a folder (proc(5), locks); 0 if it is in another PID namespace.
    private static func holder(of folder: stat) -> Int32 {
        let minor = folder.st_dev & 0xff | folder.st_dev >> 12 & 0xffff_ff00
        let device = String(minor, radix: 16)
        let place = "00:\(device.count < 2 ? "0" : "")\(device):\(folder.st_ino)"
        guard let file = unsafe fopen("/proc/locks", "re") else { return 0 }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while unsafe fgets(&line, Int32(line.count), file) != nil {
            // 1: FLOCK  ADVISORY  WRITE 1234 00:1f:5678 0 EOF
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let fields = text.split(separator: " ")
            guard fields.count >= 6, fields[1] == "FLOCK", fields[5] == place, let pid = Int32(fields[4]) else {
                continue
            }
            return max(0, pid)
        }
        return 0
    }

    // MARK: Entries

    /// The names of all entries of the folder.
    package var entries: [String] { Self.entries(of: path) }

    static func entries(of path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Returns the path of the pinned link of a direction of an interface.
    func link(_ direction: ClsactFilters.Direction, of index: UInt32) -> String { "\(path)/\(direction)_\(index)" }

    /// The path of the pinned link of the program for drops.
    var dropLink: String { "\(path)/drop" }

    /// The path of the pinned program itself.
    var dropProgram: String { "\(path)/drop_program" }

    /// Removes the pins of the link and of the program.
    func unlinkDrop() {
        for pin in [dropLink, dropProgram] { _ = unsafe Glibc.unlink(pin) }
    }

    /// The indices of interfaces with a pinned link.
    var linkedInterfaces: Set<UInt32> {
        Set(entries.compactMap { name in name.split(separator: "_").last.flatMap { UInt32($0) } })
    }

    /// The layouts with pinned maps.
    var layouts: [String] { entries.filter { $0.hasPrefix("v") } }

    /// Removes the pins of an interface's links; the kernel detaches them when no process has them open.
    func unlink(of index: UInt32) {
        for direction in ClsactFilters.Direction.allCases { _ = unsafe Glibc.unlink(link(direction, of: index)) }
    }

    /// Detaches an interface's pinned links, and removes their pins.
    func detach(from index: UInt32) {
        for direction in ClsactFilters.Direction.allCases {
            let path = link(direction, of: index)
            // The kernel detaches at once if a descriptor is closed last, and later if the pin is removed last.
            guard let found = Self.link(at: path) else { continue }
            _ = unsafe Glibc.unlink(path)
            _ = consume found
        }
    }

    /// Removes the maps of a layout; the agent's map first, whose presence means that all others are there.
    func remove(layout: String) {
        _ = unsafe Glibc.unlink("\(path)/\(layout)/agent")
        Self.removeFolder("\(path)/\(layout)")
    }

    /// Removes everything but the maps of some layouts, and the folder.
    package func removeAll(but layouts: [String] = []) {
        guard layouts.isEmpty else {
            for name in entries where !layouts.contains(name) {
                if unsafe Glibc.unlink("\(path)/\(name)") != 0 { remove(layout: name) }
            }
            return
        }
        Self.removeFolder(path)
        // Other namespaces may have folders beside it; then this fails.
        _ = unsafe rmdir(parent)
    }

    /// Removes a folder with everything that is pinned there, even if it is in use.
    package static func removeFolder(_ path: String) {
        for name in entries(of: path) where unsafe Glibc.unlink("\(path)/\(name)") != 0 {
            removeFolder("\(path)/\(name)")
        }
        _ = unsafe rmdir(path)
    }
}

// MARK: - Maps

extension PinFolder {
    /// Returns the name of a layout: the properties of maps that programs and agent need to continue with them.
    static func layout(slots: Int, ringBytes: Int, cpus: Int, reasons: Int) -> String {
        "v\(WEIR_ABI_VERSION)-\(slots)-\(ringBytes)-\(cpus)-\(reasons)"
    }

    /// The pinned maps of a layout; nil if there are none, or not all of them.
    func maps(layout: String) throws(DatapathError) -> TableMaps? {
        var descriptors: [String: SharedDescriptor] = [:]
        for name in TableMaps.shared + TableMaps.own {
            let descriptor = unsafe bpf_obj_get("\(path)/\(layout)/\(name)")
            guard descriptor >= 0 else { return nil }
            descriptors[name] = SharedDescriptor(owning: descriptor)
        }
        guard let agent = descriptors["agent"], let state = Self.state(agent.number) else { return nil }
        return try TableMaps(descriptors, configuration: state.config, reasons: Int(state.drops.reasons))
    }

    /// The agent's own state in a map; nil if it is another version's.
    private static func state(_ agent: Int32) -> weir_agent? {
        var (key, state): (UInt32, weir_agent) = (0, weir_agent())
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        guard unsafe bpf_obj_get_info_by_fd(agent, &info, &size) == 0,
            info.value_size == UInt32(MemoryLayout<weir_agent>.size),
            unsafe bpf_map_lookup_elem(agent, &key, &state) == 0, state.version == UInt32(WEIR_ABI_VERSION)
        else { return nil }
        return state
    }

    /// Completes operations that earlier agents began before they died.
    ///
    /// Removes tables that another agent has read completely and whose records are written, and tables that were only partly
    /// pinned or removed.
    ///
    /// A table's notes about another table are valid for this start only: a table of that layout may be created again, with
    /// counts of its own. The next agent may have either layout, and either version.
    func settle() {
        for layout in layouts where unsafe access("\(path)/\(layout)/agent", F_OK) != 0 { remove(layout: layout) }
        var agents: [DescribedAgent] = []
        for layout in layouts {
            guard let agent = DescribedAgent(in: "\(path)/\(layout)") else { continue }
            if let other = agent.written, other != layout, layouts.contains(other) { remove(layout: other) }
            agents.append(agent)
        }
        for agent in agents { agent.forgetDrained() }
    }

    /// Pins the maps of a layout, the agent's own last.
    func pin(_ maps: TableMaps, layout: String) throws(DatapathError) {
        remove(layout: layout)
        let folder = "\(path)/\(layout)"
        try Self.makeFolder(folder)
        try describe(maps)
        for name in TableMaps.shared + TableMaps.own {
            try Self.pin(maps.descriptor(name), at: "\(folder)/\(name)")
        }
    }

    /// Pins the description of maps for other versions, unless it is there.
    func describe(_ maps: TableMaps) throws(DatapathError) {
        let folder = "\(path)/\(Self.layout(maps))"
        let place = "\(folder)/description"
        guard DescribedAgent(in: folder) == nil else { return }
        // A description of an earlier format.
        _ = unsafe Glibc.unlink(place)
        var (key, description) = (UInt32(0), weir_describe(maps.configuration.cpus))
        let size = UInt32(MemoryLayout<weir_description>.size)
        let map = FileDescriptor(
            owning: try checked("create map description", unsafe weir_array_create("weir_descriptio", size, 1))
        )
        try checked("describe maps", unsafe bpf_map_update_elem(map.number, &key, &description, UInt64(BPF_ANY)))
        try Self.pin(map.number, at: place)
    }

    /// Pins the object of a descriptor.
    static func pin(_ descriptor: Int32, at path: String) throws(DatapathError) {
        try checked("pin \(path)", unsafe bpf_obj_pin(descriptor, path))
    }

    /// Opens a pinned link; nil if there is none.
    static func link(at path: String) -> FileDescriptor? {
        let descriptor = unsafe bpf_obj_get(path)
        return descriptor < 0 ? nil : FileDescriptor(owning: descriptor)
    }
}
