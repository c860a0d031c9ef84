package import FlowModel

/// New flows that there is no time to look at: what they carried is added up by interface.
///
/// A scan of hundreds of thousands of new flows takes seconds where the machine is slow or busy. The end of a run has no more
/// than some seconds, and totals are worth more than details then.
package struct HurriedFlows {
    /// What decides about it.
    package struct Haste {
        /// Whether there is no time any more; it stays so.
        package var isOver: () -> Bool
        /// Why no record of a host's interface is to have a flow; nil if it is the host's own.
        package var unreported: (FlowKey) -> FlowRemainder.Unreported?
        /// An address of the endpoint behind the interface at a position; nil if none is known.
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
    private var haste: Haste?
    private var roles: [InterfaceRole] = []
    private var looks: UInt = 0
    private var sums: [Place: RemainderLedger.Counts] = [:]

    /// After how many looks the time is looked at.
    private static let looksBetween: UInt = 16

    /// Begins a scan.
    mutating func begin(_ surroundings: borrowing FlowTableReader.Surroundings) {
        haste = surroundings.haste
        roles = surroundings.roles
        isOn = haste?.isOver() ?? false
    }

    /// Sees now and then whether there is still time.
    @inline(__always)
    mutating func look() {
        guard let haste, !isOn else { return }
        looks &+= 1
        if looks % Self.looksBetween == 0 { isOn = haste.isOver() }
    }

    /// Whether a flow can be added up: of a host's interface what is not the host's own only if nothing of it was dropped, for
    /// that is to be found in the record of whose it is.
    func takes(_ key: FlowKey, position: Int, isDropped: Bool) -> Bool {
        !isDropped || roles[position] == .workload || haste?.unreported(key) == nil
    }

    /// Adds what a flow carried.
    mutating func add(ingress: TrafficCounters, egress: TrafficCounters, of key: FlowKey, position: Int) {
        let place = place(of: key, position)
        sums[place, default: RemainderLedger.Counts()].ingress += ingress
        sums[place, default: RemainderLedger.Counts()].egress += egress
    }

    /// Adds what was dropped of a flow.
    mutating func add(_ drops: PendingDrops, of key: FlowKey, position: Int) {
        sums[place(of: key, position), default: RemainderLedger.Counts()].add(drops)
    }

    private func place(of key: FlowKey, _ position: Int) -> Place {
        Place(position: position, unreported: roles[position] == .workload ? nil : haste?.unreported(key))
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
                local: place.unreported == nil ? haste?.local(place.position) : nil
            )
            remainder.unreported = place.unreported
            return remainder
        }
    }
}
