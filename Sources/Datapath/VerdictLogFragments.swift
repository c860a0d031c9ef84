import FlowModel

/// Ports of first fragments, which the later fragments of a packet do not have.
///
/// It remembers the last 1,024 at least, and 2,048 at most.
struct FragmentMemory {
    /// What the fragments of a packet have in common.
    struct Identity: Hashable {
        var source: IPAddress
        var destination: IPAddress
        var id: UInt32
        var proto: IPProtocol
    }

    /// What the first one has.
    struct Transport: Equatable {
        var proto = IPProtocol(rawValue: 0)
        var sourcePort: UInt16 = 0
        var destinationPort: UInt16 = 0
    }

    private static let generation = 1024
    private var recent: [Identity: Transport] = [:]
    private var older: [Identity: Transport] = [:]

    /// How many it remembers.
    var count: Int { recent.count + older.count }

    /// Keeps what a first fragment has.
    mutating func remember(_ identity: Identity, _ transport: Transport) {
        recent[identity] = transport
        guard recent.count >= Self.generation else { return }
        older = recent
        recent = [:]
    }

    /// What the first fragment of the packet had; nil if it was not seen, or long ago.
    func transport(_ identity: Identity) -> Transport? {
        recent[identity] ?? older[identity]
    }
}
