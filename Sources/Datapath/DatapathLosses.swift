import FlowModel

/// What the datapath could not count flow by flow, or could not look at, since it was started.
public struct DatapathLosses: Sendable, Hashable {
    /// Packets in no flow: neither the flow table nor the overflow path had room.
    public var packets: UInt64 = 0
    /// Packets that were dropped by decision, and are denied in no flow for the same reason.
    public var deniedPackets: UInt64 = 0
    /// Drops that happened in an interrupt while the program for drops was running on that CPU.
    public var missedDrops: UInt64 = 0
    /// Dropped packets of watched interfaces whose headers could not be read.
    public var unparsedDrops: UInt64 = 0

    /// None yet.
    public init() {}
}

extension Datapath {
    /// What was lost so far; costs a look at the accounts of all interfaces.
    public var losses: DatapathLosses {
        var losses = DatapathLosses()
        for account in accounts {
            losses.packets += account.ingress.lost.packets + account.egress.lost.packets
            losses.deniedPackets += account.ingress.denied.lost.packets + account.egress.denied.lost.packets
        }
        (losses.missedDrops, losses.unparsedDrops) = unexaminedDrops
        return losses
    }
}
