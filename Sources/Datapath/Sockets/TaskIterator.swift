import CWeir
import Glibc

/// Iterators of the kernel over tasks, or over the files of tasks (BPF_TRACE_ITER).
///
/// They include only tasks in the PID namespace of this process.
enum TaskIterator {
    /// Opens an iterator; nothing is read.
    ///
    /// - Parameters:
    ///   - program: the descriptor of the program that receives each task or file.
    ///   - task: the number of the only task; nil for all tasks. Before Linux 6.1 the kernel always passes all tasks.
    /// - Returns: the descriptor; reading from it executes one pass.
    /// - Throws: ``DatapathError`` if the kernel refuses the iterator.
    static func open(_ program: Int32, of task: UInt32? = nil) throws(DatapathError) -> FileDescriptor {
        FileDescriptor(owning: try checked("open the iterator over tasks", weir_iterator_open(program, task ?? 0)))
    }

    /// The longest time of a run, ns: processes may share a table of any number of files.
    private static let timeLimit: UInt64 = 10_000_000_000

    /// Runs an iterator to its end.
    ///
    /// The kernel passes at most a million tasks or files in one call (`MAX_ITER_OBJECTS`, kernel/bpf/bpf_iter.c), and goes on
    /// with the next call.
    ///
    /// - Parameters:
    ///   - program: as in ``open(_:of:)``.
    ///   - task: as in ``open(_:of:)``.
    /// - Throws: ``DatapathError`` if the kernel refuses the iterator, or if the run takes longer than ten seconds.
    static func run(_ program: Int32, of task: UInt32? = nil) throws(DatapathError) {
        let iterator = try open(program, of: task)
        let deadline = Datapath.monotonicNow + timeLimit
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe Glibc.read(iterator.number, &bytes, bytes.count)
            if count == 0 { return }
            guard count < 0 else { continue }
            let error = errno
            if error == EINTR || (error == EAGAIN && Datapath.monotonicNow < deadline) { continue }
            let advice = error == EAGAIN ? "processes have too many open files to be looked through in 10 s" : ""
            throw .system(operation: "read the iterator over tasks", errno: error, advice: advice)
        }
    }
}
