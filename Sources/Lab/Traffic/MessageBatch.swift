import CWeir
import Glibc

/// Memory for a batch of messages of one size.
struct MessageBatch: ~Copyable {
    /// Changes a message before it is sent, given its bytes and its number.
    typealias Change = (inout MutableSpan<UInt8>, Int) -> Void

    private let storage: UnsafeMutableBufferPointer<UInt8>
    private let size: Int
    /// The maximum number of messages in the batch.
    private let capacity: Int
    private let change: Change?

    /// Creates a batch of copies of a template; without a change, all messages share one copy.
    init(of template: [UInt8], change: Change?) {
        size = template.count
        // With large messages, fewer fill a socket's buffer.
        capacity = max(1, min(Int(WEIR_NETNS_BATCH), 262_144 / max(1, template.count)))
        self.change = change
        let copies = change == nil ? 1 : capacity
        storage = .allocate(capacity: max(1, copies * template.count))
        for index in 0..<copies {
            _ = storage[(index * size)..<((index + 1) * size)].initialize(from: template)
        }
    }

    deinit {
        storage.deallocate()
    }

    /// Sends messages from a number on, as many as the batch and the socket have room for.
    ///
    /// - Returns: the number of sent messages; 0 if the socket has no room.
    func send(
        through socket: borrowing TrafficSocket,
        from first: Int,
        most: Int,
        to address: SocketAddress? = nil
    ) throws(LabError) -> Int {
        let count = min(most, capacity)
        if let change {
            for index in 0..<count {
                let range = (index * size)..<((index + 1) * size)
                var span = UnsafeMutableBufferPointer(rebasing: storage[range]).mutableSpan
                change(&span, first + index)
            }
        }
        let stride = change == nil ? 0 : size
        let number = socket.number
        let result =
            address.map { $0.withPointer { transmit(number, stride, count, $0, $1) } }
            ?? transmit(number, stride, count, nil, 0)
        // A full device queue is temporary, too.
        if result == 0 - EAGAIN || result == 0 - ENOBUFS { return 0 }
        return Int(try LabError.unwrap("send \(count) messages of \(size) bytes", result))
    }

    private func transmit(
        _ number: Int32,
        _ stride: Int,
        _ count: Int,
        _ address: UnsafePointer<sockaddr>?,
        _ length: socklen_t
    ) -> Int32 {
        weir_netns_send(number, storage.baseAddress, stride, size, UInt32(count), address, length)
    }
}
