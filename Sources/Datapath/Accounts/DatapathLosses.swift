import FlowModel

/// Traffic that the datapath could not count flow by flow, or could not examine, since it was started.
public struct DatapathLosses: Sendable, Hashable {
    /// Packets in no flow, because neither the flow table nor the overflow path had room; they are in the remainder of
    /// their interface (``FlowRemainder``).
    public var packets: UInt64 = 0
    /// Packets of ended flows that the previous agent had not written when it died; the remainders include them, and
    /// ``packets`` does not.
    public var unwrittenPackets: UInt64 = 0
    /// Flows outside of the flow table that were folded into the remainder of their interface, to make room for those of
    /// another one.
    public var foldedFlows: UInt64 = 0
    /// Packets that were dropped by a decision and are denied in no flow, because neither the flow table nor the overflow path
    /// had room.
    public var deniedPackets: UInt64 = 0
    /// Drops that happened in an interrupt while the program for drops was running on that CPU.
    public var missedDrops: UInt64 = 0
    /// Dropped packets of watched interfaces whose headers could not be read.
    public var unparsedDrops: UInt64 = 0

    /// Sockets that found no room in the map of sockets, and lost reports: last reports of sockets, and owners of UDP sockets.
    public var missedSockets: UInt64 = 0

    /// DNS messages that found no room in the ring.
    public var missedDNS: UInt64 = 0

    /// Creates an empty value.
    public init() {}
}

extension Datapath {
    /// The losses so far; reads the accounts of all interfaces.
    public var losses: DatapathLosses { losses(of: watchedAccounts + pastAccounts) }

    /// Returns the losses of accounts.
    func losses(of accounts: [InterfaceAccount]) -> DatapathLosses {
        var losses = DatapathLosses()
        for account in accounts {
            losses.packets += account.ingress.remainder.packets + account.egress.remainder.packets
            losses.deniedPackets += account.ingress.denied.remainder.packets + account.egress.denied.remainder.packets
        }
        let (unwritten, gone) = takeover.unwritten
        losses.unwrittenPackets = unwritten.packets + gone.packets
        // The remainders include the unwritten packets from the first reading of the table on.
        losses.packets -= min(losses.packets, unwritten.packets)
        losses.deniedPackets -= min(losses.deniedPackets, unwritten.deniedPackets)
        losses.foldedFlows = foldedFlows
        losses.missedSockets = (sockets?.missed ?? 0) + pastMissedDatagrams + (datagrams?.lost(at: positions) ?? 0)
        losses.missedDNS = pastMissedDNS + (dns?.lost(at: positions) ?? 0)
        (losses.missedDrops, losses.unparsedDrops) = unexaminedDrops
        return losses
    }
}

extension RemainderLedger.Counts {
    /// Packets of both directions.
    fileprivate var packets: UInt64 { ingress.packets + egress.packets }

    /// Denied packets of both directions.
    fileprivate var deniedPackets: UInt64 { deniedIngress.packets + deniedEgress.packets }
}
