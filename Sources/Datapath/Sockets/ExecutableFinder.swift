import CWeir
import Glibc

/// Finds the executables of living processes (weir_process_find in bpf/processes.bpf.c).
///
/// `/proc/PID/exe` is readable only with permission to trace the process, which a run does not have.
///
/// Before Linux 6.1 each search looks at all tasks, which may take milliseconds. Searches together take at most a fiftieth of a
/// core, beside a first second.
struct ExecutableFinder {
    /// The longest time that searches may take at once, and their part of the time, as a divisor.
    private static let longest: Int64 = 1_000_000_000
    private static let part: UInt64 = 50

    /// The time that searches may take now, ns; CLOCK_MONOTONIC of the last search.
    private var credit = longest
    private var lastTime = Datapath.monotonicNow
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
        let start = Datapath.monotonicNow
        credit = min(Self.longest, credit + Int64((start - lastTime) / Self.part))
        lastTime = start
        guard credit > 0 else { return nil }
        defer { credit -= Int64(Datapath.monotonicNow - start) }
        return search(for: owner)
    }

    private func search(for owner: weir_socket_owner) -> [UInt8]? {
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
