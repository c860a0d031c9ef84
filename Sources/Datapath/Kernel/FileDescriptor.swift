import Glibc

/// The owner of a file descriptor, which closes it in the end.
struct FileDescriptor: ~Copyable {
    /// The number, for system calls; never to be closed or kept.
    let number: Int32

    /// Takes over an open descriptor.
    init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = close(number)
    }
}
