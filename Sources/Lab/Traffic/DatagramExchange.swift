import CWeir
import Glibc

/// Messages of any kind that travel one by one, and their answers: the loop that UDP, ICMP and raw IP share.
///
/// One thread sends a batch, takes what has arrived, sends the next: so nothing piles up in the receivers' buffers.
struct DatagramExchange: ~Copyable {
    /// The number of messages to send.
    let count: Int
    /// Messages a second, or nil for as many as possible.
    let perSecond: Int?
    /// The longest wait for a message that is still on its way.
    let timeout: Duration
    /// The sender.
    let client: TrafficSocket
    /// The address of the receiver.
    let destination: SocketAddress
    /// The receiver; nil if the other end is the kernel, which answers each message.
    let server: TrafficSocket?
    /// Bytes that the server's socket puts before each message.
    let header: Int
    /// Bytes with which the server answers each message, or nil.
    let reply: Int?

    /// Sends all, and waits for what should arrive.
    ///
    /// Messages that do not arrive are not an error; the result counts them.
    func run(_ batch: borrowing MessageBatch, size: Int) throws(LabError) -> TrafficResult {
        var result = TrafficResult()
        let start = ContinuousClock.now
        while result.clientSent.messages < count {
            let allowed = allowance(result.clientSent.messages, start)
            var sent = 0
            if allowed > 0 {
                sent = try batch.send(
                    through: client,
                    from: result.clientSent.messages,
                    most: allowed,
                    to: destination
                )
                result.clientSent += TrafficCount(messages: sent, bytes: sent * size)
            }
            try takeArrivals(&result)
            if sent == 0 { try waitToSend(allowed > 0) }
        }
        while !isComplete(result), try waitUntilReady(interests(), timeout) {
            try takeArrivals(&result)
        }
        return result
    }

    /// Returns the number of messages that may be sent now.
    private func allowance(_ sent: Int, _ start: ContinuousClock.Instant) -> Int {
        guard let perSecond else { return count - sent }
        let elapsed = start.duration(to: .now) / .seconds(1)
        return min(count, 1 + Int(elapsed * Double(perSecond))) - sent
    }

    private func waitToSend(_ isAllowed: Bool) throws(LabError) {
        if isAllowed {
            guard try waitUntilReady([client.interest(POLLOUT)], timeout) else {
                throw .timeout(operation: "send a message", progress: "the socket has no room")
            }
        } else {
            _ = try waitUntilReady(interests(), .milliseconds(1))
        }
    }

    private func takeArrivals(_ result: inout TrafficResult) throws(LabError) {
        let before = result.serverReceived.messages
        if server != nil { try server?.drain(into: &result.serverReceived, header: header) }
        if let reply { try answer(result.serverReceived.messages - before, reply, &result) }
        try client.drain(into: &result.clientReceived)
    }

    private func answer(_ messages: Int, _ size: Int, _ result: inout TrafficResult) throws(LabError) {
        guard messages > 0 else { return }
        let address = try SocketAddress(of: client)
        let batch = MessageBatch(of: [UInt8](repeating: 0x52, count: size), change: nil)
        var rest = messages
        while rest > 0 {
            let sent = try sendAnswers(batch, rest, address)
            result.serverSent += TrafficCount(messages: sent, bytes: sent * size)
            rest -= sent
            // Room for the rest of the answers.
            try client.drain(into: &result.clientReceived)
        }
    }

    private func sendAnswers(
        _ batch: borrowing MessageBatch,
        _ count: Int,
        _ address: SocketAddress
    ) throws(LabError) -> Int {
        switch server {
        case .some(let server): try batch.send(through: server, from: 0, most: count, to: address)
        case .none: throw .invalid("the kernel answers by itself")
        }
    }

    private func isComplete(_ result: TrafficResult) -> Bool {
        let expectsAnswers = server == nil || reply != nil
        return (server == nil || result.serverReceived.messages >= count)
            && (!expectsAnswers || result.clientReceived.messages >= count)
    }

    private func interests() -> [pollfd] {
        switch server {
        case .some(let server): [client.interest(POLLIN), server.interest(POLLIN)]
        case .none: [client.interest(POLLIN)]
        }
    }
}
