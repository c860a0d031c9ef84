import FlowModel

extension Pipeline.Message {
    /// The approximate memory of the message, bytes.
    var byteCount: Int {
        guard case .flows(let batch) = self else { return 0 }
        return batch.byteCount
    }
}

extension FlowBatch {
    /// The approximate memory of its lists, bytes.
    fileprivate var byteCount: Int {
        births.count * MemoryLayout<FlowBirth>.stride + deltas.count * MemoryLayout<FlowDelta>.stride
            + flags.count * MemoryLayout<FlowFlags>.stride
            + drops.count * MemoryLayout<FlowDrop>.stride + verdicts.count * MemoryLayout<LoggedVerdict>.stride
            + sockets.count * MemoryLayout<FlowSocket>.stride + remainders.count * MemoryLayout<FlowRemainder>.stride
            + ends.count * MemoryLayout<UInt32>.stride
            + dns.reduce(0) { $0 + MemoryLayout<DNSPacket>.stride + 32 + $1.bytes.count }
    }
}
