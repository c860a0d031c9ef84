import CWeir
import Glibc

/// A netlink socket for questions that the kernel answers one at a time: one send and one receive each.
///
/// The kernel answers before the send returns, so nobody waits; if an answer is lost all the same, a tenth of a second
/// passes. The socket belongs to the network namespace of the thread that makes it, whichever thread uses it later.
struct NetlinkChannel: ~Copyable {
    private let descriptor: FileDescriptor
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: 8 << 10)

    /// How long to wait for an answer, ms.
    static let patience = 100

    /// Datagrams that may lie before the answer: answers to earlier questions, which came too late.
    private static let maximumReceptions = 64

    /// Opens a socket of a netlink family (`NETLINK_*`).
    init(family: Int32) throws(DatapathError) {
        self.init(owning: try Self.open(family: family))
    }

    /// Opens a socket of a netlink family that speaks to the kernel, and to nobody else.
    static func open(family: Int32) throws(DatapathError) -> FileDescriptor {
        let number = try systemCall("open a netlink socket") {
            socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), family)
        }
        let descriptor = FileDescriptor(owning: number)
        // To the kernel (nl_pid 0): from nobody else will anything be received.
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        _ = try systemCall("connect a netlink socket") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
        return descriptor
    }

    /// Takes over a socket that keeps the limits of messages.
    init(owning descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: 0, tv_usec: __suseconds_t(Self.patience * 1000))
        let number = self.descriptor.number
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// What came of a question.
    enum Answer {
        /// A message: its type, and where in the datagram its body lies.
        case message(type: UInt16, NetlinkBytes, body: Range<Int>)
        /// The kernel says no.
        case failed(errno: Int32)
        /// There was no answer, or it went by.
        case lost
    }

    /// Sends a request and receives its answer.
    mutating func ask(_ request: inout NetlinkWriter) -> Answer {
        sequence &+= 1
        request.finish(sequence: sequence)
        guard send(request) else { return .lost }
        for _ in 0..<Self.maximumReceptions {
            let count = unsafe recv(descriptor.number, &buffer, buffer.count, 0)
            if count < 0 {
                // ENOBUFS: some answer was lost; if it was not this one it still waits.
                if errno == EINTR || errno == ENOBUFS { continue }
                return .lost
            }
            if let answer = answer(in: NetlinkBytes(buffer, count: count)) { return answer }
        }
        return .lost
    }

    private func send(_ request: NetlinkWriter) -> Bool {
        let number = descriptor.number
        let sent = try? systemCall("ask the kernel") {
            Int32(unsafe Glibc.send(number, request.bytes, request.bytes.count, Int32(MSG_NOSIGNAL)))
        }
        return sent != nil
    }

    /// The answer to the last question; nil if it is not in this datagram.
    private func answer(in datagram: NetlinkBytes) -> Answer? {
        for message in datagram.messages where message.sequence == sequence {
            guard Int32(message.type) == NLMSG_ERROR else {
                return .message(type: message.type, datagram, body: message.body)
            }
            guard let code = datagram.number(Int32.self, message.body), code != 0 else { continue }
            return .failed(errno: 0 &- code)
        }
        return nil
    }
}
