package import CWeir
import Glibc

/// The maps of a flow table, by name: those that programs share with the agent, and the agent's own beside them.
///
/// `@safe`: descriptors stay open as long as the maps are used, and every use checks its size.
@safe
package final class TableMaps {
    /// The configuration of the programs.
    package let configuration: weir_config
    /// The number of reasons for drops that are counted apart; 0 where drops are not counted.
    let reasons: Int
    /// The agent's own memory for each slot.
    let taken: PrivateArray<weir_flow_taken>
    /// Counts that records contain; nil if the maps end with this process.
    let reported: ReportedCounts?
    private let descriptors: [String: SharedDescriptor]

    /// The maps of the programs that outlive an agent.
    static let shared = [
        "flows", "flow_rest", "occupied", "interfaces", "table_use", "accounts", "overflow", "uppers", "fragments",
        "drops", "dropped", "drop_interfaces", "drop_counts",
    ]
    /// The agent's own maps, the last one last: an agent that finds it finds all.
    static let own = ["flow_reported", "interface_reported", "agent"]

    /// Takes descriptors of maps, and the configuration of their programs.
    init(
        _ descriptors: [String: SharedDescriptor],
        configuration: weir_config,
        reasons: Int
    ) throws(DatapathError) {
        let slots = Int(configuration.slot_mask) + 1
        func number(of name: String) throws(DatapathError) -> Int32 { try Self.find(name, in: descriptors) }
        reported = try descriptors["agent"] == nil ? nil : ReportedCounts(number, slots: slots)
        self.descriptors = descriptors
        self.configuration = configuration
        self.reasons = reasons
        taken = PrivateArray(count: slots)
    }

    /// The number of slots.
    package var slots: Int { Int(configuration.slot_mask) + 1 }

    /// The descriptor of a map.
    func descriptor(_ name: String) throws(DatapathError) -> Int32 { try Self.find(name, in: descriptors) }

    private static func find(
        _ name: String,
        in descriptors: [String: SharedDescriptor]
    ) throws(DatapathError) -> Int32 {
        guard let descriptor = descriptors[name] else {
            throw .system(operation: "find map \(name)", errno: ENOENT, advice: "")
        }
        return descriptor.number
    }

    /// Maps a map into memory; with `isSparse` piece by piece, as its elements are needed.
    func mapped<Element: BitwiseCopyable>(
        _ name: String,
        count: Int,
        isSparse: Bool = false
    ) throws(DatapathError) -> MappedMap<Element> {
        try MappedMap(descriptor: descriptor(name), name: name, count: count, isSparse: isSparse)
    }

    /// Creates the agent's own maps.
    static func createOwn(slots: Int) throws(DatapathError) -> [String: SharedDescriptor] {
        let sizes: [(name: String, bytes: Int, count: Int)] = [
            ("flow_reported", MemoryLayout<weir_flow_reported>.stride, slots),
            ("interface_reported", MemoryLayout<weir_interface_reported>.stride, Int(WEIR_REPORTED_INTERFACES)),
            ("agent", MemoryLayout<weir_agent>.stride, 1),
        ]
        var maps: [String: SharedDescriptor] = [:]
        for (name, bytes, count) in sizes {
            let map = unsafe weir_array_create("weir_\(name.prefix(10))", UInt32(bytes), UInt32(count))
            maps[name] = SharedDescriptor(owning: try checked("create map \(name)", map))
        }
        return maps
    }
}

/// A file descriptor that several owners keep open.
final class SharedDescriptor {
    private let descriptor: FileDescriptor

    /// The number, for system calls; never to be closed or kept.
    var number: Int32 { descriptor.number }

    /// Takes over an open descriptor.
    init(owning number: Int32) {
        descriptor = FileDescriptor(owning: number)
    }

    /// Opens another descriptor of a descriptor's object.
    init(copying number: Int32, of name: String) throws(DatapathError) {
        let copy = try systemCall("keep map \(name)") { fcntl(number, F_DUPFD_CLOEXEC, 0) }
        descriptor = FileDescriptor(owning: copy)
    }
}

/// Zeroed memory of this process as elements of one type, whose pages are allocated when they are used.
///
/// `@safe`: the memory lives as long as any copy, and ``subscript(_:)`` checks the index.
@safe
package struct PrivateArray<Element: BitwiseCopyable> {
    /// The first element.
    package let base: UnsafeMutablePointer<Element>
    /// The number of elements.
    package let count: Int
    private let owner: Owner

    /// `@safe`: unmaps exactly its own mapping.
    @safe
    private final class Owner {
        let memory: UnsafeMutableRawPointer
        let bytes: Int

        init(bytes: Int) {
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
            let memory = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, flags, -1, 0)
            guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
                preconditionFailure("reserve \(bytes) bytes for what was drained: errno \(errno)")
            }
            unsafe self.memory = memory
            self.bytes = bytes
        }

        deinit {
            unsafe munmap(memory, bytes)
        }
    }

    init(count: Int) {
        owner = Owner(bytes: count * MemoryLayout<Element>.stride)
        unsafe base = owner.memory.bindMemory(to: Element.self, capacity: count)
        self.count = count
    }

    /// A pointer to one element.
    package subscript(index: Int) -> UnsafeMutablePointer<Element> {
        precondition(index >= 0 && index < count, "array index out of range")
        return unsafe base + index
    }
}
