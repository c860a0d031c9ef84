package import FlowModel

/// New flows for which a scan has no time: their traffic is added up by interface instead of flow by flow.
///
/// A scan of hundreds of thousands of new flows takes seconds where the machine is slow or busy. The end of a run has only some
/// seconds, and then totals are worth more than details.
package struct ExpeditedFlows {
    /// The time limit, and the attribution of flows that are only added up.
    package struct Deadline {
        /// Whether the time limit is reached; stays true once it is.
        package var isOver: () -> Bool
        /// Returns the reason why a flow of a host's interface is in no record; nil if it is the host's own.
        package var unreported: (FlowKey) -> FlowRemainder.Unreported?
        /// Returns an address of the endpoint behind the interface at a position; nil if none is known.
        package var local: (Int) -> IPAddress?

        package init(
            isOver: @escaping () -> Bool,
            unreported: @escaping (FlowKey) -> FlowRemainder.Unreported?,
            local: @escaping (Int) -> IPAddress?
        ) {
            self.isOver = isOver
            self.unreported = unreported
            self.local = local
        }
    }

    private struct Place: Hashable {
        let position: Int
        let unreported: FlowRemainder.Unreported?
    }

    /// Whether flows are added up from now on.
    private(set) var isOn = false
    private var deadline: Deadline?
    private var roles: [InterfaceRole] = []
    private var looks: UInt = 0
    private var sums: [Place: RemainderLedger.Counts] = [:]

    /// The number of calls of ``look()`` that share one reading of the clock.
    private static let looksBetween: UInt = 16

    /// Begins a scan.
    mutating func begin(_ surroundings: borrowing FlowTableReader.Surroundings) {
        deadline = surroundings.deadline
        roles = surroundings.roles
        isOn = deadline?.isOver() ?? false
    }

    /// Checks the time limit every ``looksBetween`` calls.
    @inline(__always)
    mutating func look() {
        guard let deadline, !isOn else { return }
        looks &+= 1
        if looks % Self.looksBetween == 0 { isOn = deadline.isOver() }
    }

    /// Whether a flow can be added up.
    ///
    /// A flow of a host's interface that is not the host's own can be added up only if none of its packets was dropped, because
    /// drops belong into the record of its owner.
    func takes(_ key: FlowKey, position: Int, isDropped: Bool) -> Bool {
        !isDropped || roles[position] == .workload || deadline?.unreported(key) == nil
    }

    /// Adds the traffic of a flow.
    mutating func add(ingress: TrafficCounters, egress: TrafficCounters, of key: FlowKey, position: Int) {
        let place = place(of: key, position)
        sums[place, default: RemainderLedger.Counts()].ingress += ingress
        sums[place, default: RemainderLedger.Counts()].egress += egress
    }

    /// Adds the drops of a flow.
    mutating func add(_ drops: PendingDrops, of key: FlowKey, position: Int) {
        sums[place(of: key, position), default: RemainderLedger.Counts()].add(drops)
    }

    private func place(of key: FlowKey, _ position: Int) -> Place {
        Place(position: position, unreported: roles[position] == .workload ? nil : deadline?.unreported(key))
    }

    /// Takes the sums out.
    mutating func take(indices: [UInt32]) -> [FlowRemainder] {
        guard !sums.isEmpty else { return [] }
        defer { sums = [:] }
        return sums.map { place, counts in
            var remainder = FlowRemainder(
                counts,
                indices[place.position],
                roles[place.position],
                local: place.unreported == nil ? deadline?.local(place.position) : nil
            )
            remainder.unreported = place.unreported
            return remainder
        }
    }
}
