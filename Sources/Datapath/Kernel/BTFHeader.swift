import Glibc

/// The header of the kernel's type information (`struct btf_header`, linux/btf.h): magic, version and lengths.
enum BTFHeader {
    /// The result of reading a file's header.
    enum State: Equatable {
        /// Type information that is as long as its header declares.
        case whole
        /// A part of type information, whose end is missing.
        case cutOff
        /// Another kind of file.
        case foreign
        /// The file cannot be opened or read, by errno.
        case unreadable(Int32)
    }

    /// `BTF_MAGIC`, in the order of this machine.
    private static let magic: UInt16 = 0xeb9f
    /// The size of the known header, bytes.
    private static let bytes = 24

    /// Examines a file.
    static func state(of path: String) -> State {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return .unreadable(errno) }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: bytes)
        let count = unsafe pread(descriptor, &head, bytes, 0)
        guard count >= 0 else { return .unreadable(errno) }
        guard count >= 2, unsafe head.withUnsafeBytes({ unsafe $0.loadUnaligned(as: UInt16.self) }) == magic else {
            return .foreign
        }
        guard count == bytes, let end = end(head) else { return count < bytes ? .cutOff : .foreign }
        var last: UInt8 = 0
        return unsafe pread(descriptor, &last, 1, off_t(end - 1)) == 1 ? .whole : .cutOff
    }

    /// Returns the end of types and strings; nil if the header is invalid.
    private static func end(_ head: [UInt8]) -> Int? {
        func number(_ offset: Int) -> Int {
            unsafe head.withUnsafeBytes { Int(unsafe $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
        }
        let (headBytes, typeBytes, textBytes) = (number(4), number(12), number(20))
        let end = headBytes + max(number(8) + typeBytes, number(16) + textBytes)
        // Version 1; the kernel's own limit of strings and types is 16 MiB each, and modules' are smaller.
        guard head[2] == 1, headBytes >= bytes, typeBytes > 0, textBytes > 0, end < 1 << 30 else { return nil }
        return end
    }
}
