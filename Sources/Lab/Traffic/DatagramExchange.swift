import CWeir
import Glibc

/// Exchanges individual messages and their answers: the loop for UDP, ICMP and raw IP.
///
/// One thread alternately sends a batch and receives what has arrived, so that receive buffers do not fill up.
struct DatagramExchange: ~Copyable {
    /// The number of messages to send.
    let count: Int
    /// The number of messages per second; nil for full speed.
    let perSecond: Int?
    /// The maximum wait for a message in transit.
    let timeout: Duration
    /// The sender.
    let client: TrafficSocket
    /// The address of the receiver.
    let destination: SocketAddress
    /// The receiver; nil if the other end is the kernel, which answers each message.
    let server: TrafficSocket?
    /// The number of bytes that the server's socket delivers before each message.
    let header: Int
    /// The size of the server's answer to each message, in bytes; nil for no answers.
    let reply: Int?

    /// Sends all messages, and waits for the expected answers.
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
            // Makes room for the remaining answers.
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
