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
