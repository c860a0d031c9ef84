import CWeir
import Glibc

/// Iterators of the kernel over tasks, or over the files of tasks (BPF_TRACE_ITER).
///
/// They see the tasks of the process's PID namespace.
enum TaskIterator {
    /// Opens an iterator; nothing is read.
    ///
    /// - Parameters:
    ///   - program: the descriptor of the program that each task, or file, is passed to.
    ///   - task: the number of the only task; nil for all. Before Linux 6.1 the kernel passes all of them in any case.
    /// - Returns: its descriptor: one pass, which reading drives.
    /// - Throws: ``DatapathError`` where the kernel refuses.
    static func open(_ program: Int32, of task: UInt32? = nil) throws(DatapathError) -> FileDescriptor {
        FileDescriptor(owning: try checked("open the iterator over tasks", weir_iterator_open(program, task ?? 0)))
    }

    /// Runs an iterator to its end; the parameters and errors are those of ``open(_:of:)``.
    static func run(_ program: Int32, of task: UInt32? = nil) throws(DatapathError) {
        let iterator = try open(program, of: task)
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = try systemCall("read the iterator over tasks") {
                Int32(truncatingIfNeeded: unsafe Glibc.read(iterator.number, &bytes, bytes.count))
            }
            if count == 0 { return }
        }
    }
}
