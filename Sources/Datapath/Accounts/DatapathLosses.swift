import FlowModel

/// What the datapath could not count flow by flow, or could not look at, since it was started.
public struct DatapathLosses: Sendable, Hashable {
    /// Packets in no flow, because neither the flow table nor the overflow path had room; they are in the remainder of
    /// their interface (``FlowRemainder``).
    public var packets: UInt64 = 0
    /// The same packets by the name of the interface; those that have none are left out.
    public var packetsByInterface: [String: UInt64] = [:]
    /// Flows outside of the flow table that were folded into the remainder of their interface, to make room for those of
    /// another one.
    public var foldedFlows: UInt64 = 0
    /// Packets that were dropped by decision, and are denied in no flow for the same reason.
    public var deniedPackets: UInt64 = 0
    /// Drops that happened in an interrupt while the program for drops was running on that CPU.
    public var missedDrops: UInt64 = 0
    /// Dropped packets of watched interfaces whose headers could not be read.
    public var unparsedDrops: UInt64 = 0

    /// Sockets that found no room among those that are read, and last reports of sockets that were lost.
    public var missedSockets: UInt64 = 0

    /// None yet.
    public init() {}
}

extension Datapath {
    /// What was lost so far; costs a look at the accounts of all interfaces.
    public var losses: DatapathLosses { losses(of: watchedAccounts + pastAccounts) }

    /// What was lost, by accounts.
    func losses(of accounts: [InterfaceAccount]) -> DatapathLosses {
        var losses = DatapathLosses()
        for account in accounts {
            let packets = account.ingress.remainder.packets + account.egress.remainder.packets
            losses.packets += packets
            if packets > 0 { losses.packetsByInterface[account.name, default: 0] += packets }
            losses.deniedPackets += account.ingress.denied.remainder.packets + account.egress.denied.remainder.packets
        }
        losses.foldedFlows = foldedFlows
        losses.missedSockets = sockets?.missed ?? 0
        (losses.missedDrops, losses.unparsedDrops) = unexaminedDrops
        return losses
    }
}
