import CWeir
import Glibc

/// Finds the executables of living processes (weir_process_find in bpf/processes.bpf.c).
///
/// `/proc/PID/exe` is readable only with permission to trace the process, which a run does not have.
///
/// Before Linux 6.1 each search looks at all tasks, which may take milliseconds: ``LookupTime`` bounds all searches together.
struct ExecutableFinder {
    private var time = LookupTime()
    private let program: SharedDescriptor
    private let request: SharedDescriptor

    /// Keeps the program and the map of a loaded object.
    ///
    /// - Throws: ``DatapathError`` if they cannot be kept.
    init(_ object: borrowing ProgramObject) throws(DatapathError) {
        program = try SharedDescriptor(copying: object.program("weir_process_find"), of: "weir_process_find")
        request = try SharedDescriptor(copying: object.map("process_request"), of: "process_request")
    }

    /// Returns the path of a process's executable in the process's mount namespace.
    ///
    /// Returns nil if the process has ended, is in another PID namespace, or has no executable, and if searches take too long.
    mutating func path(of owner: weir_socket_owner) -> [UInt8]? {
        let (program, request) = (program, request)
        return time.run { Self.search(for: owner, by: program, request) }
    }

    private static func search(
        for owner: weir_socket_owner,
        by program: SharedDescriptor,
        _ request: SharedDescriptor
    ) -> [UInt8]? {
        var key = owner.process
        var value = weir_process_text()
        value.start = owner.start
        guard unsafe bpf_map_update_elem(request.number, &key, &value, UInt64(BPF_ANY)) == 0 else { return nil }
        defer { _ = unsafe bpf_map_delete_elem(request.number, &key) }
        guard (try? TaskIterator.run(program.number, of: owner.process)) != nil,
            unsafe bpf_map_lookup_elem(request.number, &key, &value) == 0, value.size > 0
        else { return nil }
        return unsafe withUnsafeBytes(of: value.text) { unsafe Array($0.prefix(Int(value.size))) }
    }
}
