import FlowModel

/// Domain names of destinations.
extension FlowLedger {
    /// Returns the domain names that the sources of flows have looked up for destinations outside of the cluster.
    ///
    /// - Parameters:
    ///   - names: looks names up.
    ///   - isOwn: whether an address belongs to this host.
    /// - Returns: names by group, ascending, up to the limit of a record; only for groups that report for the source.
    func domains(by names: some DomainResolver, isOwn: (IPAddress) -> Bool) -> [UInt32: [String]] {
        guard !names.isEmpty else { return [:] }
        var domains: [UInt32: [String]] = [:]
        for number in 0..<flows.limit {
            guard let flow = flows.kept(number), groups[flow.group].reporter == .source else { continue }
            let (local, remote) = (folding.endpoints[flow.tuple.local], folding.endpoints[flow.tuple.remote])
            guard remote.owner.kind == .network || remote.owner.kind == .networkSet else { continue }
            let isHost = isOwn(local.address)
            let client = isHost ? .host : DomainClient.workload(interface: budget.interfaceIndex(of: flow.share))
            for name in names.domains(of: remote.address, for: client) {
                domains[flow.group, default: []].insertSorted(name, limit: FlowRecord.domainLimit)
            }
        }
        return domains
    }
}

extension [String] {
    /// Inserts a text in ascending order, once; keeps the first ones.
    fileprivate mutating func insertSorted(_ text: String, limit: Int) {
        let place = firstIndex { $0 >= text } ?? count
        guard place < limit, place == count || self[place] != text else { return }
        insert(text, at: place)
        if count > limit { removeLast() }
    }
}
