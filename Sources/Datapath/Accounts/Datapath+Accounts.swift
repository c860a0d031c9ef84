/// Traffic of the interfaces, whether it is in flows, in remainders or denied.
extension Datapath {
    /// The accounts of all interfaces so far, including removed ones, in the order of their indices; if very many were removed,
    /// the older ones are added up in one (index 0).
    ///
    /// While traffic flows, packets on their way between kernel and agent are missing from the flows; after
    /// ``detach(emit:)`` none are.
    public var accounts: [InterfaceAccount] {
        (pastAccounts + watchedAccounts).sorted { $0.index < $1.index }
    }

    /// The accounts when a run ends.
    ///
    /// Where the programs continue to count after the run, the accounts omit the packets since the last scan: the next run
    /// reports them.
    public var finalAccounts: [InterfaceAccount] {
        guard pins?.isLeft == true else { return accounts }
        return accounts.map { account in
            var account = account
            account.ingress.leaveOutInFlight()
            account.egress.leaveOutInFlight()
            return account
        }
    }

    /// The accounts of watched interfaces, in the order of their indices.
    var watchedAccounts: [InterfaceAccount] {
        let present = watched.compactMap { index, interface in
            let account = account(of: interface, index)
            return interface.isUpper && account.isEmpty ? nil : account
        }
        return present.sorted { $0.index < $1.index }
    }

    /// The accounts of interfaces that are gone.
    var pastAccounts: [InterfaceAccount] { past.all }

    func account(of interface: WatchedInterface, _ index: UInt32) -> InterfaceAccount {
        var account = InterfaceAccount(
            name: interface.name,
            index: index,
            role: interface.role,
            position: interface.position,
            table,
            overflow,
            interfaces,
            drops
        )
        account.ingress.gap = interface.gap.ingress
        account.egress.gap = interface.gap.egress
        return account
    }

    /// Packets that the kernel dropped, by interface and reason, including interfaces that are gone.
    ///
    /// Reasons that do not concern a flow are left out.
    public var droppedPackets: [DroppedPackets] {
        past.drops(with: watched.values.map { ($0.name, drops?.packets(position: $0.position) ?? []) })
    }

    /// Drops that could not be examined: in an interrupt while the program was running on that CPU, and dropped
    /// packets of watched interfaces whose headers could not be read.
    public var unexaminedDrops: (missed: UInt64, unparsed: UInt64) {
        let unparsed = watched.values.reduce(past.unparsedDrops) { $0 + (drops?.unparsed(position: $1.position) ?? 0) }
        return (drops?.missed ?? 0, unparsed)
    }

    /// Flows outside of the table that were folded to make room for those of another interface, since the start.
    var foldedFlows: UInt64 { overflow.folded }

    /// Use of the flow table after the last scan.
    public var occupancy: (live: Int, slots: Int, overflow: Int) {
        (table.live, table.slots, overflow.count)
    }

    /// Packets that went through the overflow ring, and the largest part of it that one drain found in use.
    var ringUse: (events: UInt64, peak: Double) {
        (
            overflow.totalEvents,
            min(1, Double(overflow.largestDrain * SharePlan.recordBytes) / Double(capacity.ringBytes))
        )
    }
}
