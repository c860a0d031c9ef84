import Glibc

/// An error that the kernel reported for a datagram after it was sent (`IP_RECVERR`, `ip(7)`).
package struct DatagramError: Sendable, Hashable {
    /// The `errno` value of the error.
    package let code: Int32
    /// The beginning of the datagram, as far as the error contains it; often empty.
    package let quoted: [UInt8]

    /// Whether the error reports that a filter on the path rejects such datagrams.
    package let isProhibited: Bool

    /// Takes all members.
    package init(code: Int32, quoted: [UInt8], isProhibited: Bool = false) {
        self.code = code
        self.quoted = quoted
        self.isProhibited = isProhibited
    }
}

/// Constants that the C library's module leaves out (`linux/in.h`, `linux/in6.h`, `linux/errqueue.h`, `linux/socket.h`).
private enum Linux {
    static let (ipLevel, ipErrors): (Int32, Int32) = (0, 11)
    static let (ip6Level, ip6Errors): (Int32, Int32) = (41, 25)
    static let errorQueue: Int32 = 0x2000
    /// SO_EE_ORIGIN_LOCAL: the call that caused the error has already returned it.
    static let originIsCall: UInt8 = 1
    /// SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6.
    static let (originIsICMP, originIsICMP6): (UInt8, UInt8) = (2, 3)
    /// The size of `struct cmsghdr` in bytes; `struct sock_extended_err` follows it.
    static let headerBytes = 16
}

extension FileDescriptor {
    /// Enables the error queue of a UDP socket (`setsockopt(2)`, IP_RECVERR).
    ///
    /// The queue also contains errors that routers and hosts report, besides those of the destination port.
    package func keepErrors(family: Int32) {
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        // If the option fails, the kernel reports fewer errors.
        setsockopt(number, Linux.ipLevel, Linux.ipErrors, &on, size)
        if family == AF_INET6 { setsockopt(number, Linux.ip6Level, Linux.ip6Errors, &on, size) }
    }

    /// Removes and returns the oldest error of the error queue; nil if it is empty (`recvmsg(2)`, MSG_ERRQUEUE).
    package func takeError() -> DatagramError? {
        while true {
            guard let (error, quoted) = takeAnyError() else { return nil }
            guard error.origin != Linux.originIsCall else { continue }
            return DatagramError(code: error.code, quoted: quoted, isProhibited: error.isProhibited)
        }
    }

    private func takeAnyError() -> (error: ExtendedError, quoted: [UInt8])? {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) { scratch in
            let quoted = UnsafeMutableRawBufferPointer(rebasing: scratch[..<512])
            let control = UnsafeMutableRawBufferPointer(rebasing: scratch[512...])
            var vector = iovec(iov_base: quoted.baseAddress, iov_len: quoted.count)
            return withUnsafeMutablePointer(to: &vector) { vector in
                var message = msghdr()
                message.msg_iov = vector
                message.msg_iovlen = 1
                message.msg_control = control.baseAddress
                message.msg_controllen = control.count
                let count = recvmsg(number, &message, Linux.errorQueue | Int32(MSG_DONTWAIT))
                guard count >= 0 else { return nil }
                let filled = UnsafeRawBufferPointer(rebasing: control.prefix(message.msg_controllen))
                let error = ExtendedError(in: filled) ?? ExtendedError(code: EIO, origin: 0, type: 0, reason: 0)
                return (error, Array(quoted.prefix(count)))
            }
        }
    }
}

/// `struct sock_extended_err`.
private struct ExtendedError {
    let code: Int32
    let origin: UInt8
    let type: UInt8
    let reason: UInt8

    init(code: Int32, origin: UInt8, type: UInt8, reason: UInt8) {
        (self.code, self.origin, self.type, self.reason) = (code, origin, type, reason)
    }

    /// Finds the structure in control messages.
    init?(in control: UnsafeRawBufferPointer) {
        var offset = 0
        while offset + Linux.headerBytes + 8 <= control.count {
            let length = control.loadUnaligned(fromByteOffset: offset, as: Int.self)
            let level = control.loadUnaligned(fromByteOffset: offset + 8, as: Int32.self)
            let type = control.loadUnaligned(fromByteOffset: offset + 12, as: Int32.self)
            if (level, type) == (Linux.ipLevel, Linux.ipErrors) || (level, type) == (Linux.ip6Level, Linux.ip6Errors) {
                let start = offset + Linux.headerBytes
                self.init(
                    code: control.loadUnaligned(fromByteOffset: start, as: Int32.self),
                    origin: control[start + 4],
                    type: control[start + 5],
                    reason: control[start + 6]
                )
                return
            }
            guard length >= Linux.headerBytes else { return nil }
            offset += (length + 7) & ~7
        }
        return nil
    }

    /// Whether a filter rejected the datagram: "administratively prohibited" of RFC 1812 and RFC 4443.
    var isProhibited: Bool {
        switch (origin, type) {
        case (Linux.originIsICMP, 3): [9, 10, 13].contains(reason)
        case (Linux.originIsICMP6, 1): [1, 5, 6].contains(reason)
        default: false
        }
    }
}
