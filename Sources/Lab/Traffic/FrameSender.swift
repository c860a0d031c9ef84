import CWeir
import Glibc

/// Sends arbitrary frames through an interface (packet(7)), without the namespace's network stack.
///
/// Frames start with the link-layer header: Ethernet, or the IP header on a device without Ethernet. They pass the interface's
/// egress hooks like all packets.
package struct FrameSender: ~Copyable {
    private let socket: TrafficSocket
    private let interface: String
    private let timeout: Duration

    /// Opens an interface; `timeout` is the maximum time for which the device may accept no frames.
    package init(
        _ interface: String,
        in namespace: NetworkNamespace,
        timeout: Duration = .seconds(5)
    ) throws(LabError) {
        let index = try namespace.index(of: interface)
        let opened = try namespace.perform { () throws(LabError) in
            // Protocol 0: the socket sends, but receives nothing.
            let socket = try TrafficSocket(AF_PACKET, SOCK_RAW, 0)
            try socket.set(SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20)
            var address = sockaddr_ll()
            address.sll_family = UInt16(AF_PACKET)
            address.sll_ifindex = Int32(bitPattern: index)
            let number = socket.number
            _ = try LabError.check("open \(interface) for frames") {
                withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(number, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
                    }
                }
            }
            return OpenedFrameSocket(socket)
        }.get()
        guard let socket = opened.take() else { throw .invalid("open \(interface) for frames: no socket") }
        self.socket = socket
        self.interface = interface
        self.timeout = timeout
    }

    /// Sends frames in order.
    @discardableResult
    package func send(_ frames: [[UInt8]]) throws(LabError) -> TrafficCount {
        var count = TrafficCount()
        for frame in frames {
            count += try send(frame)
        }
        return count
    }

    /// Sends a frame many times, as fast as the device accepts it.
    ///
    /// - Parameters:
    ///   - frame: the frame.
    ///   - times: the number of copies.
    ///   - change: changes each copy before it is sent, given its number from 0. The copies are reused, so it must set the same
    ///     bytes in each.
    /// - Returns: the frames and bytes that the kernel accepted.
    /// - Throws: ``LabError`` if the kernel rejects a frame (EMSGSIZE: longer than the MTU), or accepts none in time.
    @discardableResult
    package func send(
        _ frame: [UInt8],
        times: Int = 1,
        change: ((inout MutableSpan<UInt8>, Int) -> Void)? = nil
    ) throws(LabError) -> TrafficCount {
        let batch = MessageBatch(of: frame, change: change)
        var sent = 0
        while sent < times {
            let count = try batch.send(through: socket, from: sent, most: times - sent)
            sent += count
            if count == 0, try !waitUntilReady([socket.interest(POLLOUT)], timeout) {
                throw .timeout(operation: "send frames through \(interface)", progress: "\(sent) of \(times) sent")
            }
        }
        return TrafficCount(messages: sent, bytes: sent * frame.count)
    }

    /// Sends the frames of a sweep in order, as fast as the device accepts them.
    @discardableResult
    package func send(_ sweep: FlowSweep, count: Int) throws(LabError) -> TrafficCount {
        try send(sweep.template, times: count) { frame, number in sweep.change(&frame, number) }
    }
}

/// Passes a socket out of the thread that opened it.
private final class OpenedFrameSocket {
    private var socket: TrafficSocket?

    init(_ socket: consuming TrafficSocket) {
        self.socket = consume socket
    }

    func take() -> TrafficSocket? {
        socket.take()
    }
}
