import FlowModel

/// Remainders: packets that are counted in no flow, but in records.
extension FlowAggregator {
    /// Adds the packets that the datapath counted for interfaces but in no flow.
    mutating func takeIn(_ remainders: borrowing [FlowRemainder]) {
        for index in remainders.indices { takeIn(remainders[index]) }
    }

    /// Adds the traffic of a group without a record to the remainder of its local end.
    mutating func takeIn(_ group: UnreportedGroup) {
        let interface = ledger.budget.interfaceIndex(of: group.share)
        let place =
            group.report.key.reporter == .forward
            ? remainders.place(ofUnreported: .transit)
            : remainders.place(of: group.local, on: interface, isAddressCertain: false)
        let (key, traffic, drops) = (group.report.key, group.report.traffic, group.report.drops)
        foldedFlows += UInt64(group.report.counts.total)
        folded += traffic.inbound + traffic.outbound
        if key.action == .deny {
            remainders[place].deny(counted: .zero, uncounted: traffic.outbound, .source, drops?.reason)
            remainders[place].deny(counted: .zero, uncounted: traffic.inbound, .destination, drops?.reason)
        } else {
            remainders[place].add(sent: traffic.outbound, got: traffic.inbound)
            if let drops { remainders[place].drop(sent: drops.outbound, got: drops.inbound, drops.reason) }
        }
    }

    private mutating func place(of remainder: FlowRemainder) -> UInt32 {
        if let reason = remainder.unreported { return remainders.place(ofUnreported: reason) }
        let local = remainder.local.map { address in
            FlowEndpoint(
                address: address,
                owner: resolver.endpoints(source: address, destination: address).source,
                by: resolver
            )
        }
        return remainders.place(of: local, on: remainder.interfaceIndex, isAddressCertain: true)
    }

    private mutating func takeIn(_ remainder: FlowRemainder) {
        let place = place(of: remainder)
        let isNear = remainder.role == .workload
        self.remainders[place].add(
            sent: isNear ? remainder.ingress : remainder.egress,
            got: isNear ? remainder.egress : remainder.ingress
        )
        if remainder.unreported == nil {
            uncountedFlows += remainder.ingress
            uncountedFlows += remainder.egress
        }
        self.remainders[place].deny(
            counted: remainder.deniedIngress,
            uncounted: remainder.deniedUncounted,
            isNear ? .source : .destination,
            nil
        )
        self.remainders[place].deny(
            counted: .zero,
            uncounted: remainder.deniedEgress,
            isNear ? .destination : .source,
            nil
        )
    }
}
