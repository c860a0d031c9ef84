import Glibc

/// The network namespace of the calling thread, in which an agent watches interfaces.
enum HomeNamespace {
    /// Returns its inode number, by which programs identify it.
    ///
    /// - Throws: ``DatapathError/system(operation:errno:advice:)`` where /proc is not mounted.
    static func number() throws(DatapathError) -> UInt32 {
        var status = stat()
        _ = try systemCall("find the network namespace") { unsafe stat("/proc/thread-self/ns/net", &status) }
        return UInt32(truncatingIfNeeded: status.st_ino)
    }
}
