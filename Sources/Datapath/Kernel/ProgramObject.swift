import CWeir
import Glibc

/// The compiled programs that the binary carries.
package enum EmbeddedObject {
    /// The flow counter (bpf/weir.bpf.c).
    case flows
    /// The programs of reference for benchmarks (bpf/bench.bpf.c).
    case bench
    /// The program that looks connections up (bpf/conntrack.bpf.c).
    case conntrack
    /// The programs that read sockets (bpf/sockets.bpf.c).
    case sockets
    /// The program that looks at all sockets by plain loads (bpf/socket_pass.bpf.c).
    case socketPass
    /// The programs for packets with DNS messages (bpf/dns.bpf.c).
    case dns
    /// The programs that store the programs of processes (bpf/processes.bpf.c).
    case processes
    /// The programs that read the owners of UDP sockets (bpf/datagrams.bpf.c).
    case datagrams

    fileprivate var file: weir_object {
        switch self {
        case .flows: unsafe weir_object_flows()
        case .bench: unsafe weir_object_bench()
        case .conntrack: unsafe weir_object_conntrack()
        case .sockets: unsafe weir_object_sockets()
        case .socketPass: unsafe weir_object_socket_pass()
        case .dns: unsafe weir_object_dns()
        case .processes: unsafe weir_object_processes()
        case .datagrams: unsafe weir_object_datagrams()
        }
    }
}

/// A BPF object file: its maps and programs, opened, configured, loaded, closed in that order (libbpf).
///
/// `@safe`: libbpf's pointers do not leave this file except as descriptors, which live as long as the object.
@safe
package struct ProgramObject: ~Copyable {
    private let object: OpaquePointer
    private let log: VerifierLog

    /// BTF_KIND_DATASEC of linux/btf.h, which Swift imports twice, so that the C name is ambiguous.
    private static let dataSection: UInt32 = 15

    /// ENOTSUPP (include/linux/errno.h), which has no name in user space: the processor's JIT cannot translate a program.
    private static let notSupported: Int32 = 524

    /// Opens an embedded object (bpf_object__open_mem).
    init(_ embedded: EmbeddedObject) throws(DatapathError) {
        let file = unsafe embedded.file
        log = VerifierLog()
        guard let opened = unsafe weir_object_open(file.bytes, file.size, log.buffer, VerifierLog.capacity) else {
            throw .system(operation: "open the embedded BPF programs", errno: errno, advice: "")
        }
        unsafe object = opened
    }

    deinit {
        unsafe bpf_object__close(object)
    }

    /// Sets the number of elements, or the bytes of a ring, of a map before it is created (bpf_map__set_max_entries).
    package func setEntries(_ entries: UInt32, of map: String) throws(DatapathError) {
        try checked("size map \(map)", unsafe bpf_map__set_max_entries(find(map), entries))
    }

    /// Sets the flags of a map before it is created (bpf_map__set_map_flags).
    func setFlags(_ flags: UInt32, of map: String) throws(DatapathError) {
        try checked("set the flags of map \(map)", unsafe bpf_map__set_map_flags(find(map), flags))
    }

    /// Writes a constant before the programs are loaded; `section` is the object's read-only data, `offset` in it.
    package func setConstant<Value: BitwiseCopyable>(_ value: Value, named symbol: String) throws(DatapathError) {
        var size = 0
        guard let offset = offset(of: symbol), let map = unsafe readOnlyData,
            let memory = unsafe bpf_map__initial_value(map, &size), offset + MemoryLayout<Value>.size <= size
        else {
            throw .system(operation: "configure the BPF programs: \(symbol)", errno: ENOENT, advice: "")
        }
        var bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: memory, count: size))
        unsafe withUnsafeBytes(of: value) { unsafe bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
        try checked("configure the BPF programs", unsafe bpf_map__set_initial_value(map, bytes, size))
    }

    /// Leaves a program out when the others are loaded (bpf_program__set_autoload).
    package func leaveOut(_ program: String) throws(DatapathError) {
        try checked("leave out program \(program)", unsafe bpf_program__set_autoload(find(program: program), false))
    }

    /// Whether there is a map of a name.
    func has(_ map: String) -> Bool {
        unsafe bpf_object__find_map_by_name(object, map) != nil
    }

    /// Leaves a map out that no loaded program uses (bpf_map__set_autocreate).
    func leaveOut(map: String) throws(DatapathError) {
        try checked("leave out map \(map)", unsafe bpf_map__set_autocreate(find(map), false))
    }

    /// Takes a map of another object of this process, whatever its size, instead of creating one (bpf_map__reuse_fd).
    func share(_ descriptor: Int32, as name: String) throws(DatapathError) {
        try checked("share map \(name)", unsafe bpf_map__reuse_fd(find(name), descriptor))
    }

    /// Takes an existing map instead of creating one (bpf_map__reuse_fd).
    ///
    /// - Throws: EINVAL if it is of another kind or size.
    func reuse(_ descriptor: Int32, for name: String) throws(DatapathError) {
        let map = try unsafe find(name)
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let result = unsafe bpf_obj_get_info_by_fd(descriptor, &info, &size)
        let isSame =
            unsafe result == 0 && info.type == bpf_map__type(map).rawValue
            && info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map)
            && info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map)
        try checked("reuse map \(name)", result == 0 ? isSame ? 0 : -EINVAL : result)
        try checked("reuse map \(name)", unsafe bpf_map__reuse_fd(map, descriptor))
    }

    /// Creates the maps and loads the programs (bpf_object__load).
    func load() throws(DatapathError) {
        let result = unsafe bpf_object__load(object)
        if result == 0 { return }
        if let refusal = log.refusal { throw refusal }
        if result == -Self.notSupported {
            throw .unsupportedKernel(
                feature: "atomic operations of BPF on this processor",
                since: "5.18 on arm64",
                advice: ""
            )
        }
        if result == -EPERM { throw .missingPrivilege(capabilities: ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]) }
        throw .system(
            operation: "load the BPF programs",
            errno: -result,
            advice: result == -ENOMEM ? "make the table smaller (--table-slots)" : ""
        )
    }

    /// The descriptor of a map of a loaded object.
    func map(_ name: String) throws(DatapathError) -> Int32 {
        try checked("find map \(name)", unsafe bpf_map__fd(find(name)))
    }

    /// The descriptor of a program of a loaded object.
    func program(_ name: String) throws(DatapathError) -> Int32 {
        try checked("find program \(name)", unsafe bpf_program__fd(find(program: name)))
    }

    private func find(program name: String) throws(DatapathError) -> OpaquePointer {
        guard let program = unsafe bpf_object__find_program_by_name(object, name) else {
            throw .system(operation: "find program \(name)", errno: ENOENT, advice: "")
        }
        return unsafe program
    }

    private func find(_ name: String) throws(DatapathError) -> OpaquePointer {
        guard let map = unsafe bpf_object__find_map_by_name(object, name) else {
            throw .system(operation: "find map \(name)", errno: ENOENT, advice: "")
        }
        return unsafe map
    }

    private var readOnlyData: OpaquePointer? {
        unsafe bpf_object__find_map_by_name(object, ".rodata")
    }

    /// Returns the offset of a variable in the read-only data, by the object's own BTF.
    private func offset(of symbol: String) -> Int? {
        guard let btf = unsafe bpf_object__btf(object) else { return nil }
        let section = unsafe btf__find_by_name_kind(btf, ".rodata", Self.dataSection)
        guard section > 0, let type = unsafe btf__type_by_id(btf, UInt32(section)) else { return nil }
        let count = Int(unsafe type.pointee.info & 0xffff)
        let entries = unsafe UnsafeRawPointer(type + 1).assumingMemoryBound(to: btf_var_secinfo.self)
        for index in 0..<count {
            guard let variable = unsafe btf__type_by_id(btf, entries[index].type),
                let name = unsafe btf__name_by_offset(btf, variable.pointee.name_off)
            else { continue }
            if unsafe String(cString: name) == symbol { return Int(unsafe entries[index].offset) }
        }
        return nil
    }
}

/// The verifier's log of the load.
@safe
private final class VerifierLog {
    static let capacity = 1 << 20
    let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)

    init() {
        unsafe buffer.initialize(repeating: 0, count: Self.capacity)
    }

    deinit {
        unsafe buffer.deallocate()
    }

    /// The error in the log, or nil if the log is empty.
    var refusal: DatapathError? {
        let text = unsafe String(cString: buffer)
        let lines = text.split(separator: "\n").map(String.init)
        let significant = lines.last { line in
            // Statistics and register dumps follow the reason.
            !line.hasPrefix("processed ") && !line.hasPrefix("verification time") && !line.hasPrefix("stack depth")
        }
        guard let significant else { return nil }
        return .verifier(line: significant, omittedLines: lines.count - 1, log: text)
    }
}
