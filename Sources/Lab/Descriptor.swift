import Glibc

/// Owns a file descriptor, and closes it at the end of its lifetime; no program that is being started has a copy then.
struct Descriptor: ~Copyable, Sendable {
    /// The number, for system calls; it must not be closed or stored.
    let number: Int32

    /// Takes over an open descriptor.
    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = close(number)
        SpawnLock.barrier()
    }
}
