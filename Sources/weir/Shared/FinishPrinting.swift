// Glibc's `stdout` is a variable that is never assigned.
@preconcurrency import Glibc

/// Writes the buffered output.
///
/// - Throws: `CommandFailure` if standard output did not accept all of it, unless its reader has closed it.
func finishPrinting() throws {
    errno = 0
    guard fflush(stdout) != 0 || ferror(stdout) != 0, errno != EPIPE else { return }
    // The buffer holds only the last part of a long text; the error of an earlier part is no longer known.
    let reason = errno == 0 ? "not all of it was taken: is the disk full?" : String(cString: strerror(errno))
    throw CommandFailure(description: "write standard output: \(reason)")
}
