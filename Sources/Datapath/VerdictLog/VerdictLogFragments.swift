import FlowModel

/// Ports of first fragments, which the later fragments of a packet do not have.
///
/// As in the programs (bpf/packet.h): if several fragments claim to be the first of one packet and contradict each other,
/// the ports of the later ones are unknown. It remembers the last 1,024 packets at least, and 2,048 at most.
struct FragmentMemory {
    /// The fields that all fragments of a packet share.
    struct Identity: Hashable {
        var source: IPAddress
        var destination: IPAddress
        var id: UInt32
        var proto: IPProtocol
    }

    /// The fields of the first fragment only.
    struct Transport: Equatable {
        var proto = IPProtocol(rawValue: 0)
        var sourcePort: UInt16 = 0
        var destinationPort: UInt16 = 0
    }

    /// The place of a fragment in its packet, in bytes.
    struct Place {
        var id: UInt32
        var offset: Int
        var size: Int
        var hasMore: Bool
    }

    /// The ports of the first fragment, and the place up to which its packet was followed, in order.
    private struct First {
        var transport: Transport
        var next: Int
        var isWhole = false
        var isContradicted = false
    }

    private static let generation = 1024
    /// No receiver accepts a fragment that is shorter than the unit of offsets.
    private static let unit = 8
    private var recent: [Identity: First] = [:]
    private var older: [Identity: First] = [:]

    /// The number of packets that are kept.
    var count: Int { recent.count + older.count }

    /// Stores the fields of a first fragment, or the fact that it contradicts another first fragment.
    mutating func remember(_ identity: Identity, _ transport: Transport, size: Int) {
        guard size >= Self.unit else { return }
        guard var known = recent[identity] ?? older[identity], !known.isWhole else {
            return keep(First(transport: transport, next: size), of: identity)
        }
        guard known.transport != transport else { return }
        known.isContradicted = true
        keep(known, of: identity)
    }

    /// Returns the ports of a later fragment's packet; nil if its first fragment was not seen, or long ago, or is not certain.
    mutating func transport(_ identity: Identity, _ place: Place) -> Transport? {
        guard var known = recent[identity] ?? older[identity] else { return nil }
        if place.offset == known.next {
            known.next += place.size
            known.isWhole = !place.hasMore
            keep(known, of: identity)
        }
        return known.isContradicted ? nil : known.transport
    }

    private mutating func keep(_ first: First, of identity: Identity) {
        recent[identity] = first
        guard recent.count >= Self.generation else { return }
        older = recent
        recent = [:]
    }
}
