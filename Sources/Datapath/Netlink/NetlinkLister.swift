import CWeir
import Glibc

/// A rtnetlink socket for requests that the kernel answers with a list.
struct NetlinkLister: ~Copyable {
    private var descriptor: FileDescriptor
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)
    private let isStrict: Bool

    /// Opens a socket in the network namespace of this thread.
    ///
    /// With `isStrict` the kernel checks all of a request, and refuses parts that it does not support (Linux 4.20).
    init(isStrict: Bool = false) throws(DatapathError) {
        descriptor = try NetlinkChannel.open(family: NETLINK_ROUTE)
        self.isStrict = isStrict
        prepare()
    }

    private func prepare() {
        let number = descriptor.number
        var limit = timeval(tv_sec: 0, tv_usec: __suseconds_t(NetlinkChannel.patience * 1000))
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard isStrict else { return }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(number, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, size)
    }

    /// Sends a request and hands over the datagrams of its answer, in order, until `take` returns false.
    ///
    /// - Parameters:
    ///   - request: with `NLM_F_DUMP`.
    ///   - take: takes a datagram; false to skip the rest.
    /// - Returns: whether the answer was complete, and not interrupted by a change.
    mutating func list(_ request: inout NetlinkWriter, take: (NetlinkBytes) -> Bool) -> Bool {
        sequence &+= 1
        request.finish(sequence: sequence)
        guard send(request) else { return false }
        var isWhole = true
        while true {
            let count = unsafe recv(descriptor.number, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            let datagram = NetlinkBytes(buffer, count: count)
            var hasEnded = false
            for message in datagram.messages where message.sequence == sequence {
                if Int32(message.flags) & NLM_F_DUMP_INTR != 0 { isWhole = false }
                if Int32(message.type) == NLMSG_ERROR { return false }
                if Int32(message.type) == NLMSG_DONE { hasEnded = true }
            }
            guard take(datagram) else {
                abandon()
                return false
            }
            if hasEnded { return isWhole }
        }
    }

    private func send(_ request: NetlinkWriter) -> Bool {
        let number = descriptor.number
        let sent = try? systemCall("request a list from the kernel") {
            Int32(unsafe Glibc.send(number, request.bytes, request.bytes.count, Int32(MSG_NOSIGNAL)))
        }
        return sent != nil
    }

    /// Abandons an answer that continues: nothing else is answered on the same socket before its end.
    private mutating func abandon() {
        guard let fresh = try? NetlinkChannel.open(family: NETLINK_ROUTE) else { return }
        descriptor = fresh
        prepare()
    }
}
