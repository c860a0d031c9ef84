import CWeir
import Glibc

/// A NETLINK_NETFILTER socket that receives the packets that rules log to one group.
///
/// The kernel collects packets in a datagram until it is full, or until the first packet has waited for ``collectionTime``, so
/// that a reader that reads rarely gets many at a time. The socket belongs to the network namespace of the thread that creates
/// it.
struct VerdictLogSocket: ~Copyable {
    /// The group (`log group N`, `NFLOG --nflog-group N`).
    let group: UInt16
    private let descriptor: FileDescriptor
    /// The number of the next packet if none is lost.
    private var nextSequence: UInt32 = 0

    /// Bytes of a packet to copy: an IPv6 header, extension headers, ports.
    static let copiedBytes: UInt32 = 255
    /// The longest time for which the kernel collects packets, in hundredths of a second.
    static let collectionTime: UInt32 = 1
    /// The most packets that the kernel collects.
    static let collectedPackets: UInt32 = 64
    /// The bytes in which it collects them: with the overhead of an skb, an allocation of 16 KiB.
    static let collectionBytes: UInt32 = 15 << 10
    /// The buffer for packets that are not read yet, bytes; the kernel doubles it, and counts its own overhead.
    static let defaultBuffer: Int32 = 4 << 20

    /// Subscribes to a group.
    ///
    /// - Parameters:
    ///   - group: the group.
    ///   - buffer: bytes that may wait.
    ///   - reportsConnections: whether the kernel reports each packet's connection.
    /// - Returns: a socket that receives everything that is logged from now on.
    /// - Throws: ``noConnections`` if the kernel cannot report connections; else the kernel's error.
    static func open(
        group: UInt16,
        buffer: Int32,
        reportsConnections: Bool
    ) throws(DatapathError) -> VerdictLogSocket {
        let descriptor = try NetlinkChannel.open(family: NETLINK_NETFILTER)
        var bytes = buffer
        let size = socklen_t(MemoryLayout<Int32>.size)
        if unsafe setsockopt(descriptor.number, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, size) != 0 {
            _ = unsafe setsockopt(descriptor.number, SOL_SOCKET, SO_RCVBUF, &bytes, size)
        }
        let socket = VerdictLogSocket(owning: descriptor, group: group)
        try socket.bind(reportsConnections: reportsConnections)
        return socket
    }

    /// Takes over a socket that is bound to a group.
    init(owning descriptor: consuming FileDescriptor, group: UInt16) {
        self.descriptor = descriptor
        self.group = group
    }

    /// Ends the subscription; the kernel delivers what it has collected so far.
    func unbind() {
        var request = NetlinkWriter()
        Self.begin(&request, group)
        request.attribute(Int(NFULA_CFG_CMD.rawValue), UInt8(truncatingIfNeeded: NFULNL_CFG_CMD_UNBIND.rawValue))
        _ = try? send(&request)
    }

    // MARK: Reading

    /// The result of a receive.
    enum Reception {
        /// So many bytes of messages.
        case datagram(count: Int)
        /// Nothing waits.
        case nothing
        /// Packets were lost because the buffer was full.
        case overrun
    }

    /// Receives one datagram, if one waits.
    func receive(into buffer: inout [UInt8]) -> Reception {
        while true {
            let count = unsafe recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count >= 0 { return .datagram(count: count) }
            switch errno {
            case EINTR: continue
            case ENOBUFS: return .overrun
            default: return .nothing
            }
        }
    }

    /// Takes the number of a packet; returns how many before it were logged, and lost on the way.
    mutating func lost(before sequence: UInt32) -> UInt64 {
        let gap = sequence &- nextSequence
        nextSequence = sequence &+ 1
        // A smaller number would belong to an earlier packet, which does not happen.
        return gap < 1 << 31 ? UInt64(gap) : 0
    }

    // MARK: Binding

    private func bind(reportsConnections: Bool) throws(DatapathError) {
        var request = NetlinkWriter()
        Self.begin(&request, group)
        let flags = NFULNL_CFG_F_SEQ | (reportsConnections ? NFULNL_CFG_F_CONNTRACK : 0)
        request.attribute(Int(NFULA_CFG_CMD.rawValue), UInt8(truncatingIfNeeded: NFULNL_CFG_CMD_BIND.rawValue))
        // struct nfulnl_msg_config_mode: bytes to copy, mode, padding; 6 bytes.
        let mode = UInt64(Self.copiedBytes) << 16 | UInt64(NFULNL_COPY_PACKET) << 8
        request.attribute(Int(NFULA_CFG_MODE.rawValue), bytes: 6, mode)
        request.attribute(Int(NFULA_CFG_NLBUFSIZ.rawValue), Self.collectionBytes.bigEndian)
        request.attribute(Int(NFULA_CFG_TIMEOUT.rawValue), Self.collectionTime.bigEndian)
        request.attribute(Int(NFULA_CFG_QTHRESH.rawValue), Self.collectedPackets.bigEndian)
        request.attribute(Int(NFULA_CFG_FLAGS.rawValue), UInt16(truncatingIfNeeded: flags).bigEndian)
        try send(&request)
        switch refusal() {
        case nil: return
        // EPERM: another socket has the group. (EBUSY: this socket has it.)
        case EPERM where weir_effective_capabilities() & 1 << Self.netAdmin == 0:
            throw .missingPrivilege(capabilities: ["CAP_NET_ADMIN"])
        case EPERM, EBUSY: throw Self.taken(group)
        case EOPNOTSUPP where reportsConnections: throw Self.noConnections
        // There is no subsystem with that number.
        case EINVAL, EOPNOTSUPP: throw Self.unsupported
        case let code?: throw .system(operation: "listen to log group \(group)", errno: code, advice: "")
        }
    }

    /// The number of CAP_NET_ADMIN (linux/capability.h).
    private static let netAdmin: UInt64 = 12

    static let unsupported = DatapathError.unsupportedKernel(
        feature: "log groups (nfnetlink_log)",
        since: "2.6.14",
        advice: "load the module nfnetlink_log"
    )

    /// Thrown if the kernel cannot report connections; opening without them works.
    static let noConnections = DatapathError.unsupportedKernel(
        feature: "connections in log groups (NFULNL_CFG_F_CONNTRACK)",
        since: "4.4",
        advice: "load the module nf_conntrack_netlink"
    )

    private static func taken(_ group: UInt16) -> DatapathError {
        .system(
            operation: "listen to log group \(group)",
            errno: EBUSY,
            advice: """
                another program reads it, and only one can (ulogd, or Calico's Felix, which takes 1 and 2): let your own \
                rules `log group M` with another number, and give --nflog-group M; \
                /proc/net/netfilter/nfnetlink_log has the groups that are taken
                """
        )
    }

    /// Begins a message that configures a group (NFULNL_MSG_CONFIG).
    ///
    /// Without NLM_F_ACK: the kernel answers before the send returns, and only if it refuses.
    private static func begin(_ request: inout NetlinkWriter, _ group: UInt16) {
        request.begin(type: VerdictLogMessage.type(NFULNL_MSG_CONFIG), flags: NLM_F_REQUEST)
        // struct nfgenmsg: family, version, group. A group receives packets of all families.
        request.append(UInt8(AF_UNSPEC))
        request.append(UInt8(NFNETLINK_V0))
        request.append(group.bigEndian)
    }

    private func send(_ request: inout NetlinkWriter) throws(DatapathError) {
        request.finish(sequence: Self.requestSequence)
        let (number, bytes) = (descriptor.number, request.bytes)
        _ = try systemCall("listen to log group \(group)") {
            Int32(unsafe Glibc.send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL)))
        }
    }

    private static let requestSequence: UInt32 = 1

    /// The errno with which the kernel refused the request; nil if it did not.
    ///
    /// The first datagram is not removed from the socket: it may already contain packets.
    private func refusal() -> Int32? {
        var buffer = [UInt8](repeating: 0, count: 1 << 10)
        let count = unsafe recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT | MSG_PEEK))
        let datagram = NetlinkBytes(buffer, count: count)
        for message in datagram.messages where Int32(message.type) == NLMSG_ERROR {
            guard let code = datagram.number(Int32.self, message.body), code != 0 else { continue }
            return 0 &- code
        }
        return nil
    }
}
