// Glibc's `stdout` is a variable that is never assigned.
@preconcurrency import Glibc

/// Writes what is printed and waits in memory.
///
/// - Throws: `CommandFailure` if standard output did not take all that was printed; not if its reader went away.
func finishPrinting() throws {
    errno = 0
    guard fflush(stdout) != 0 || ferror(stdout) != 0, errno != EPIPE else { return }
    // Of a long text only the last part waits; why an earlier one was not taken is not known any more.
    let reason = errno == 0 ? "not all of it was taken: is the disk full?" : String(cString: strerror(errno))
    throw CommandFailure(description: "write standard output: \(reason)")
}
