package import Glibc

/// Owns an open file descriptor, and closes it when the value is destroyed.
package struct FileDescriptor: ~Copyable {
    /// The number of the descriptor; only system calls of this target use it.
    let number: Int32

    private init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// An entry for ``PollEntry/wait(for:and:until:)``; valid as long as the descriptor is open.
    package func pollEntry(_ events: Int32) -> PollEntry {
        PollEntry(number: number, events: Int16(truncatingIfNeeded: events))
    }
}

// MARK: - Files

extension FileDescriptor {
    /// Opens a path; closed on exec (`open(2)`).
    package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> FileDescriptor {
        let number = try SystemError.check("open") { Glibc.open(path, flags | O_CLOEXEC, mode) }
        return FileDescriptor(owning: number)
    }

    /// Duplicates the descriptor of standard output; closed on exec (`fcntl(2)`, F_DUPFD_CLOEXEC).
    ///
    /// - Throws: EBADF if it is closed or not open for writing: the duplicate must not allow more than the original.
    package static func standardOutput() throws(SystemError) -> FileDescriptor {
        let flags = try SystemError.check("fcntl") { fcntl(STDOUT_FILENO, F_GETFL) }
        guard flags & O_ACCMODE != O_RDONLY else { throw SystemError("write", code: EBADF) }
        // At least 3, so that the number is not that of a closed standard descriptor.
        let number = try SystemError.check("fcntl") { fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) }
        return FileDescriptor(owning: number)
    }

    /// Opens the same file again with other flags (`open(2)` of `/proc/self/fd/N`).
    package func reopened(_ flags: Int32) throws(SystemError) -> FileDescriptor {
        try .open("/proc/self/fd/\(number)", flags)
    }

    /// Writes bytes and returns how many were written (`write(2)`).
    package func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try SystemError.check("write") { Glibc.write(number, bytes.baseAddress, bytes.count) }
    }

    /// The byte at an offset, nil at the end of the file (`pread(2)`).
    package func byte(at offset: Int) throws(SystemError) -> UInt8? {
        var byte: UInt8 = 0
        return try SystemError.check("pread") { pread(number, &byte, 1, off_t(offset)) } == 1 ? byte : nil
    }

    /// Reads once at an offset; 0 at the end of the file (`pread(2)`).
    func readOnce(_ target: UnsafeMutablePointer<UInt8>?, _ count: Int, at offset: Int) throws(SystemError) -> Int {
        try SystemError.check("pread") { pread(number, target, count, off_t(offset)) }
    }

    /// The status of the file (`fstat(2)`).
    func rawStatus() throws(SystemError) -> stat {
        var status = stat()
        _ = try SystemError.check("fstat") { fstat(number, &status) }
        return status
    }

    /// The permissions (`fstat(2)`).
    package func permissions() throws(SystemError) -> mode_t {
        try rawStatus().st_mode & 0o7777
    }

    /// Returns the owner of the file (`fstat(2)`).
    package func owner() throws(SystemError) -> uid_t {
        try rawStatus().st_uid
    }

    /// Writes all bytes to a descriptor that accepts them without blocking, such as a file.
    package func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = try rest.withUnsafeBufferPointer { bytes throws(SystemError) in
                try write(UnsafeRawBufferPointer(bytes))
            }
            rest = rest.dropFirst(written)
        }
    }

    /// Writes all bytes at an offset (`pwrite(2)`).
    package func writeAll(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try SystemError.check("pwrite") {
                bytes.withUnsafeBytes {
                    pwrite(number, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(offset + done))
                }
            }
        }
    }

    /// Locks the file without waiting; false if another open file description holds the lock (`flock(2)`).
    package func lock() throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try SystemError.check("flock") { flock(number, LOCK_EX | LOCK_NB) }
            return true
        } catch {
            if error.code == EWOULDBLOCK { return false }
            throw error
        }
    }

    /// Sets the permissions (`fchmod(2)`).
    package func setPermissions(_ mode: mode_t) throws(SystemError) {
        _ = try SystemError.check("fchmod") { fchmod(number, mode) }
    }

    /// Returns the file offset, which is where the last write ended (`lseek(2)`).
    package func position() throws(SystemError) -> Int {
        Int(try SystemError.check("lseek") { lseek(number, 0, SEEK_CUR) })
    }

    /// The number of unread bytes in a pipe; 0 if it is unknown (`ioctl(2)`, FIONREAD).
    package var unreadBytes: Int {
        var count: Int32 = 0
        return ioctl(number, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    /// Truncates the file (`ftruncate(2)`).
    package func truncate(to size: Int) throws(SystemError) {
        _ = try SystemError.check("ftruncate") { ftruncate(number, off_t(size)) }
    }

    /// Writes the content of a file, or the entries of a folder, to the disk (`fsync`).
    package func synchronize() throws(SystemError) {
        _ = try SystemError.check("fsync") { fsync(number) }
    }

    /// Waits until the descriptor accepts bytes; false if the deadline passes first.
    package func waitUntilWritable(by deadline: ContinuousClock.Instant) -> Bool {
        let noWakeup = PollEntry(number: -1, events: 0)
        let outcome = PollEntry.wait(for: noWakeup, and: pollEntry(Int32(POLLOUT)), until: deadline)
        // On a hang-up the caller writes, and the write reports the error.
        return outcome.isReady || outcome.isHungUp
    }

    /// The size in bytes and the file type bits of the mode (`fstat(2)`).
    package func status() throws(SystemError) -> (size: Int, type: mode_t) {
        var status = stat()
        _ = try SystemError.check("fstat") { fstat(number, &status) }
        return (Int(status.st_size), status.st_mode & S_IFMT)
    }
}

// MARK: - Entries of folders

extension FileDescriptor {
    /// O_PATH of `open(2)`, which Glibc's module does not export.
    ///
    /// Such a descriptor identifies a file, but is not open for reading or writing.
    static let placeOnly: Int32 = 0o10_000_000

    /// Opens an entry of this folder; closed on exec (`openat(2)`).
    func openEntry(_ name: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try SystemError.check("open") { openat(number, name, flags | O_CLOEXEC, mode) })
    }

    /// Makes a folder in this folder (`mkdirat(2)`).
    func makeFolder(_ name: String, mode: mode_t) throws(SystemError) {
        _ = try SystemError.check("mkdir") { mkdirat(number, name, mode) }
    }

    /// Returns the target of the symbolic link that is open with O_PATH and O_NOFOLLOW (`readlinkat(2)`).
    func linkTarget() throws(SystemError) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = try SystemError.check("readlink") {
            bytes.withUnsafeMutableBytes { buffer in
                guard let target = buffer.assumingMemoryBound(to: CChar.self).baseAddress else { return 0 }
                return readlinkat(number, "", target, buffer.count)
            }
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    /// Whether the folder belongs to `/proc`, whose links the kernel makes; only the kernel can follow them.
    var isOfKernel: Bool {
        var (root, proc) = (stat(), stat())
        guard let own = try? rawStatus(), own.st_mode & S_IWOTH == 0, stat("/", &root) == 0, stat("/proc", &proc) == 0
        else { return false }
        // PROC_ROOT_INO (linux/proc_fs.h); the check is needed because `/proc` may be an empty folder.
        return proc.st_ino == 1 && proc.st_dev != root.st_dev && own.st_dev == proc.st_dev
    }
}

// MARK: - Sockets

extension FileDescriptor {
    /// Makes a non-blocking socket; closed on exec (`socket(2)`).
    package static func socket(family: Int32, type: __socket_type) throws(SystemError) -> FileDescriptor {
        let flags = SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let number = try SystemError.check("socket") { Glibc.socket(family, Int32(type.rawValue | flags), 0) }
        return FileDescriptor(owning: number)
    }

    /// Makes two non-blocking datagram sockets that are connected to each other (`socketpair(2)`).
    package static func pair() throws(SystemError) -> SocketPair {
        var numbers: [Int32] = [-1, -1]
        let type = SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        _ = try SystemError.check("socketpair") { socketpair(AF_UNIX, Int32(type), 0, &numbers) }
        return SocketPair(near: FileDescriptor(owning: numbers[0]), far: FileDescriptor(owning: numbers[1]))
    }

    /// Connects; fails with EINPROGRESS if the connection is not established at once (`connect(2)`).
    package func connect(to address: SocketAddress) throws(SystemError) {
        _ = try SystemError.check("connect") {
            address.withPointer { pointer, length in Glibc.connect(number, pointer, length) }
        }
    }

    /// Returns and clears the pending error of the socket; 0 if there is none (`getsockopt(2)`, SO_ERROR).
    package func pendingError() throws(SystemError) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = try SystemError.check("getsockopt") { getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size) }
        return code
    }

    /// Sends bytes without blocking and without SIGPIPE (`send(2)`).
    package func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try SystemError.check("send") {
            Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// Discards received bytes, up to a kilobyte; returns whether there were any (`recv(2)`).
    @discardableResult
    package func discardInput() -> Bool {
        // A larger buffer would be allocated on the heap.
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { scratch in
            recv(number, scratch.baseAddress, scratch.count, Int32(MSG_DONTWAIT)) > 0
        }
    }

    /// Shuts down the sending direction (`shutdown(2)`).
    package func endSending() {
        shutdown(number, Int32(SHUT_WR))
    }
}

/// Two sockets that are connected to each other.
package struct SocketPair: ~Copyable {
    package let near: FileDescriptor
    package let far: FileDescriptor
}
