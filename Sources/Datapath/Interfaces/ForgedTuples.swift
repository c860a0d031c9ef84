import FlowModel

/// Packets that came in under an address which does not belong where they came from, so that they are recognized where they
/// leave.
///
/// A forwarded packet is a flow of the interface that it entered through and of the one that it left through. At the second
/// its source is the far end, of which the interface shows nothing; here is kept what the first one showed. What was
/// translated in between is not recognized.
struct ForgedTuples {
    /// A flow without its interface, as the interface sees it that its packets entered through.
    private struct Tuple: Hashable {
        let near: IPAddress
        let far: IPAddress
        let nearPort: UInt16
        let farPort: UInt16
        let proto: IPProtocol
    }

    /// Each with when it was seen, in scans.
    private var tuples: [Tuple: UInt32] = [:]
    private var scan: UInt32 = 0

    /// How many are kept; who forges addresses forges many.
    private static let limit = 16_384
    /// How many scans they are kept for.
    private static let lifetime: UInt32 = 8

    /// Begins a scan, and forgets old ones.
    mutating func beginScan() {
        scan &+= 1
        guard !tuples.isEmpty, scan % Self.lifetime == 0 else { return }
        let scan = scan
        tuples = tuples.filter { scan &- $0.value < Self.lifetime }
    }

    /// Whether there is nothing to recognize.
    var isEmpty: Bool { tuples.isEmpty }

    /// Keeps a flow whose near end has sent under another's address.
    mutating func note(_ key: FlowKey) {
        guard tuples.count < Self.limit else { return }
        tuples[
            Tuple(near: key.near, far: key.far, nearPort: key.nearPort, farPort: key.farPort, proto: key.proto)
        ] = scan
    }

    /// Whether the packets of a flow's far end came in under another's address.
    func hasForgedFar(_ key: FlowKey) -> Bool {
        // ICMP's two numbers are not the ends': they keep their places.
        let ports =
            key.proto == .icmp || key.proto == .icmp6 ? (key.nearPort, key.farPort) : (key.farPort, key.nearPort)
        return tuples[
            Tuple(near: key.far, far: key.near, nearPort: ports.0, farPort: ports.1, proto: key.proto)
        ] != nil
    }
}
