import FlowModel

/// Domain names of destinations.
extension FlowLedger {
    /// Returns the domain names that the sources of flows have looked up for destinations outside of the cluster.
    ///
    /// - Parameters:
    ///   - names: looks names up.
    ///   - isOwn: whether an address is this host's.
    /// - Returns: names by group, ascending and as many as a record has; of groups that report for the source. Empty if no
    ///   names are known.
    func domains(by names: some DomainResolver, isOwn: (IPAddress) -> Bool) -> [[String]] {
        guard !names.isEmpty else { return [] }
        var domains = [[String]](repeating: [], count: Int(groups.limit))
        var known: [Pair: [String]] = [:]
        for number in 0..<flows.limit {
            guard let flow = flows.kept(number), groups[flow.group].reporter == .source else { continue }
            let pair = Pair(local: flow.tuple.local, remote: flow.tuple.remote, share: flow.share)
            let found = known[pair]
            let sorted = found ?? self.names(of: pair, by: names, isOwn: isOwn)
            if found == nil {
                if known.count == Self.pairLimit { known.removeAll(keepingCapacity: true) }
                known[pair] = sorted
            }
            domains[Int(flow.group)].insertSorted(sorted, limit: FlowRecord.domainLimit)
        }
        return domains
    }

    /// The most pairs whose names are remembered at a time.
    private static let pairLimit = 4096

    /// The ends of flows whose names are the same.
    private struct Pair: Hashable {
        let local: UInt32
        let remote: UInt32
        let share: UInt16
    }

    private func names(of pair: Pair, by names: some DomainResolver, isOwn: (IPAddress) -> Bool) -> [String] {
        let (local, remote) = (folding.endpoints[pair.local], folding.endpoints[pair.remote])
        guard remote.owner.kind == .network || remote.owner.kind == .networkSet else { return [] }
        let isHost = isOwn(local.address)
        let client = isHost ? .host : DomainClient.workload(interface: budget.interfaceIndex(of: pair.share))
        var sorted: [String] = []
        for name in names.domains(of: remote.address, for: client) {
            sorted.insertSorted(name, limit: FlowRecord.domainLimit)
        }
        return sorted
    }
}

extension [String] {
    /// Inserts texts that are in ascending order.
    fileprivate mutating func insertSorted(_ texts: [String], limit: Int) {
        if isEmpty {
            self = texts
        } else if self != texts {
            for text in texts { insertSorted(text, limit: limit) }
        }
    }

    /// Inserts a text in ascending order, once; keeps the first ones.
    fileprivate mutating func insertSorted(_ text: String, limit: Int) {
        let place = firstIndex { $0 >= text } ?? count
        guard place < limit, place == count || self[place] != text else { return }
        insert(text, at: place)
        if count > limit { removeLast() }
    }
}
