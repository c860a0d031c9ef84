import FlowModel

/// The counts and losses of the datapath, as of one moment.
public struct DatapathReading: Sendable {
    /// The accounts of the interfaces that are watched, in the order of their indices.
    public var watched: [InterfaceAccount] = []
    /// The sum of the accounts of interfaces that are not watched any more.
    public var gone = InterfaceAccount(
        name: PastAccounts.olderName,
        index: 0,
        role: .host,
        ingress: DirectionAccount(),
        egress: DirectionAccount(),
        interfaces: 0
    )
    /// Traffic that could not be counted flow by flow.
    public var losses = DatapathLosses()
    /// Flows in the table after the last scan.
    public var liveFlows = 0
    /// Slots of the table.
    public var slots = 0
    /// Flows that are counted outside of the table.
    public var overflowFlows = 0
    /// Packets that went through the overflow ring, since the start.
    public var ringEvents: UInt64 = 0
    /// The largest part of the ring that one drain found in use, since the start; 0 to 1.
    public var ringPeak = 0.0

    /// Creates an empty value.
    public init() {}

    /// The packets that the accounts of removed interfaces cannot explain; any value but 0 is a fault in Weir.
    ///
    /// Packets of watched interfaces that are not taken out of the table yet do not count. Packets that an account contains and
    /// that were not seen do.
    public var unaccounted: UInt64 {
        let past = gone.unbalanced > 0 ? gone.excess + gone.inFlight : 0
        return watched.reduce(past) { $0 + $1.excess }
    }

    /// All accounts: of the interfaces that are watched, and the sum of those that are gone, if there are any.
    public var accounts: [InterfaceAccount] { watched + (gone.interfaces > 0 ? [gone] : []) }

    /// Packets of watched interfaces that the programs have counted and the agent has not taken over yet.
    public var inFlight: UInt64 { watched.reduce(0) { $0 + $1.inFlight } }
}

extension InterfaceAccount {
    /// Packets that were seen and are in no part of the account yet.
    public var inFlight: UInt64 { ingress.inFlight + egress.inFlight }

    /// Packets that are in a part of the account and were not seen.
    public var excess: UInt64 { ingress.excess + egress.excess }
}

extension DirectionAccount {
    private var accounted: UInt64 {
        flows.packets + overflow.packets + remainder.packets + notIP.packets + unparsed.packets
    }

    /// Subtracts from the seen and the denied traffic the part that is in no part of the account yet.
    mutating func leaveOutInFlight() {
        if seen.packets >= accountedFor.packets, seen.bytes >= accountedFor.bytes { seen = accountedFor }
        let parts = denied.flows + denied.overflow + denied.remainder
        if denied.seen.packets >= parts.packets, denied.seen.bytes >= parts.bytes { denied.seen = parts }
    }

    fileprivate var inFlight: UInt64 { seen.packets > accounted ? seen.packets - accounted : 0 }
    fileprivate var excess: UInt64 { accounted > seen.packets ? accounted - seen.packets : 0 }
}

extension Datapath {
    /// Everything that the datapath counts, as of now; reads the accounts of all interfaces.
    public var reading: DatapathReading {
        var reading = DatapathReading()
        reading.watched = watchedAccounts
        for account in pastAccounts { reading.gone.add(account) }
        reading.losses = losses(of: reading.watched + [reading.gone])
        (reading.liveFlows, reading.slots, reading.overflowFlows) = occupancy
        (reading.ringEvents, reading.ringPeak) = ringUse
        return reading
    }
}

extension InterfaceAccount {
    /// Adds an account that is closed.
    fileprivate mutating func add(_ other: InterfaceAccount) {
        ingress += other.ingress
        egress += other.egress
        interfaces += other.interfaces
        unbalanced += other.unbalanced + (other.ingress.isBalanced && other.egress.isBalanced ? 0 : 1)
    }
}
