import CWeir
import Glibc

/// A netlink socket for requests and their answers: one at a time, or many with one send.
///
/// The kernel answers before the send returns, so there is no wait; if an answer is lost nevertheless, the timeout is a tenth
/// of a second. The socket belongs to the network namespace of the thread that creates it, not of the one that uses it.
struct NetlinkChannel: ~Copyable {
    private let descriptor: FileDescriptor
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: 8 << 10)
    /// Room for many answers; empty until many requests are sent at once.
    private var answers: [UInt8] = []

    /// Their lengths.
    private var lengths = [UInt32](repeating: 0, count: Int(WEIR_RECEPTIONS))

    /// Room for an answer; one of connection tracking has some 300 bytes.
    private static let answerBytes = 2048

    /// The longest wait for an answer, ms.
    static let patience = 100

    /// The most datagrams before the answer: late answers to earlier requests.
    private static let maximumReceptions = 64

    /// Opens a socket of a netlink family (`NETLINK_*`).
    init(family: Int32) throws(DatapathError) {
        self.init(owning: try Self.open(family: family))
    }

    /// Opens a socket of a netlink family, connected to the kernel only.
    static func open(family: Int32) throws(DatapathError) -> FileDescriptor {
        let number = try systemCall("open a netlink socket") {
            socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), family)
        }
        let descriptor = FileDescriptor(owning: number)
        // To the kernel (nl_pid 0): messages of other senders are not received.
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
        // Errors do not repeat the request; the buffer has room for the answers to many requests. Both only reduce the cost.
        var (isOn, room) = (Int32(1), Int32(Self.maximumQuestions * Self.answerBytes))
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(number, SOL_NETLINK, NETLINK_CAP_ACK, &isOn, size)
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &room, size)
    }

    /// The result of a request.
    enum Answer {
        /// A message: its type, and where in the datagram its body lies.
        case message(type: UInt16, NetlinkBytes, body: Range<Int>)
        /// The kernel refused the request.
        case failed(errno: Int32)
        /// There was no answer, or it was lost.
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
                // ENOBUFS: an answer was lost; if it was another one, this one still waits.
                if errno == EINTR || errno == ENOBUFS { continue }
                return .lost
            }
            if let answer = answer(in: NetlinkBytes(buffer, count: count)) { return answer }
        }
        return .lost
    }

    /// The most requests that are sent at once: the kernel's answers must fit into the socket's buffer.
    static let maximumQuestions = 128

    /// Sends several requests at once and receives their answers.
    ///
    /// The kernel answers all of them before the send returns, so there is no wait; an answer that is missing then is lost.
    ///
    /// - Parameters:
    ///   - count: the number of requests, at most ``maximumQuestions``.
    ///   - request: storage for the requests.
    ///   - append: writes a request behind the others, by its number.
    ///   - take: receives the answer to each, by its number, in any order; ``Answer/lost`` where there is none.
    mutating func ask(
        _ count: Int,
        _ request: inout NetlinkWriter,
        append: (Int, inout NetlinkWriter) -> Void,
        take: (Int, Answer) -> Void
    ) {
        if answers.isEmpty { answers = [UInt8](repeating: 0, count: Int(WEIR_RECEPTIONS) * Self.answerBytes) }
        let first = sequence &+ 1
        request.removeAll()
        for number in 0..<count {
            append(number, &request)
            sequence &+= 1
            request.finish(sequence: sequence)
        }
        var isMissing = [Bool](repeating: true, count: count)
        var missing = count
        if send(request) {
            var receptions = 0
            while missing > 0, receptions < Self.maximumReceptions {
                let lengths = receiveMany()
                if lengths.isEmpty { break }
                receptions += 1
                for (index, length) in lengths.enumerated() {
                    let start = index * Self.answerBytes
                    let datagram = NetlinkBytes(answers, start..<start + Int(length))
                    for message in datagram.messages {
                        let number = Int(message.sequence &- first)
                        guard number < count, isMissing[number], let answer = answer(message, in: datagram) else {
                            continue
                        }
                        isMissing[number] = false
                        missing -= 1
                        take(number, answer)
                    }
                }
            }
        }
        for number in isMissing.indices where isMissing[number] { take(number, .lost) }
    }

    /// Receives some of the waiting datagrams; returns the length of each, none if there are none.
    private mutating func receiveMany() -> ArraySlice<UInt32> {
        while true {
            let count = unsafe weir_receive(
                descriptor.number,
                &answers,
                Self.answerBytes,
                UInt32(WEIR_RECEPTIONS),
                &lengths
            )
            // ENOBUFS: an answer was lost; others wait.
            if count == 0 - EINTR || count == 0 - ENOBUFS { continue }
            return lengths.prefix(max(0, Int(count)))
        }
    }

    private func send(_ request: NetlinkWriter) -> Bool {
        let number = descriptor.number
        let sent = try? systemCall("query the kernel") {
            Int32(unsafe Glibc.send(number, request.bytes, request.bytes.count, Int32(MSG_NOSIGNAL)))
        }
        return sent != nil
    }

    /// Returns the answer to the last request; nil if it is not in this datagram.
    private func answer(in datagram: NetlinkBytes) -> Answer? {
        for message in datagram.messages where message.sequence == sequence {
            if let answer = answer(message, in: datagram) { return answer }
        }
        return nil
    }

    /// The answer in a message; nil if it is an acknowledgement.
    private func answer(_ message: NetlinkBytes.Message, in datagram: NetlinkBytes) -> Answer? {
        guard Int32(message.type) == NLMSG_ERROR else {
            return .message(type: message.type, datagram, body: message.body)
        }
        guard let code = datagram.number(Int32.self, message.body), code != 0 else { return nil }
        return .failed(errno: 0 &- code)
    }
}
