import FlowModel

/// Removes the new flows from batches and adds up their packets by interface and local address.
///
/// This is used if there is not enough time for each flow: sums stay exact, but the other ends are lost.
struct BatchReduction {
    /// The endpoint for which packets are added up.
    private struct Local: Hashable {
        let interfaceIndex: UInt32
        let role: InterfaceRole
        /// Nil for packets that are in no record of the interface.
        let address: IPAddress?
        var unreported: FlowRemainder.Unreported?
    }

    /// The index of the sum of each removed flow, by its number.
    private var places: [UInt32: Int] = [:]
    private var locals: [Local: Int] = [:]
    private var sums: [FlowRemainder] = []

    /// The number of removed flows so far.
    private(set) var flows: UInt64 = 0

    /// Creates an empty reduction.
    init() {}

    /// Returns a batch without its new flows and without changes of previously removed flows.
    ///
    /// The packets of these flows are added to the remainders.
    ///
    /// - Parameters:
    ///   - batch: a batch of the datapath.
    ///   - isOwn: whether an address is the host's.
    ///   - isWorkload: whether an address is one of the host's workloads. Flows of a host interface without an end of
    ///     the host itself stay as they are if packets of them were dropped: the drops belong to the flow of the other
    ///     interface.
    /// - Returns: the rest of the batch.
    mutating func reduce(
        _ batch: FlowBatch,
        isOwn: (IPAddress) -> Bool,
        isWorkload: (IPAddress) -> Bool
    ) -> FlowBatch {
        let dropped = Set(batch.drops.lazy.map(\.flowID))
        var rest = FlowBatch()
        rest.verdicts = batch.verdicts
        rest.remainders = batch.remainders
        for birth in batch.births {
            let local = Self.local(of: birth, isOwn, isWorkload)
            if local.unreported == nil || !dropped.contains(birth.flowID) {
                places[birth.flowID] = place(of: local)
                flows += 1
            } else {
                places[birth.flowID] = nil
                rest.births.append(birth)
            }
        }
        for delta in batch.deltas {
            guard let place = places[delta.flowID] else {
                rest.deltas.append(delta)
                continue
            }
            sums[place].ingress += delta.ingress
            sums[place].egress += delta.egress
        }
        for drop in batch.drops {
            guard let place = places[drop.flowID] else {
                rest.drops.append(drop)
                continue
            }
            if !drop.isIngressCounted { sums[place].ingress += drop.deniedIngress }
            sums[place].deniedIngress += drop.deniedIngress
            sums[place].deniedEgress += drop.deniedEgress
        }
        rest.flags = batch.flags.filter { places[$0.flowID] == nil }
        rest.sockets = batch.sockets.filter { places[$0.flowID] == nil }
        for flowID in batch.ends where places.removeValue(forKey: flowID) == nil { rest.ends.append(flowID) }
        takeSums(into: &rest)
        return rest
    }

    private mutating func takeSums(into batch: inout FlowBatch) {
        for place in sums.indices where !sums[place].isZero {
            batch.remainders.append(sums[place])
            sums[place].clear()
        }
    }

    private mutating func place(of local: Local) -> Int {
        if let place = locals[local] { return place }
        sums.append(
            FlowRemainder(
                interfaceIndex: local.interfaceIndex,
                role: local.role,
                local: local.address,
                unreported: local.unreported
            )
        )
        locals[local] = sums.count - 1
        return sums.count - 1
    }

    /// The endpoint of a flow, by the role of its interface.
    private static func local(
        of birth: FlowBirth,
        _ isOwn: (IPAddress) -> Bool,
        _ isWorkload: (IPAddress) -> Bool
    ) -> Local {
        let key = birth.key
        var local = Local(interfaceIndex: key.interfaceIndex, role: birth.role, address: owner(of: birth))
        if birth.role == .host, !isOwn(key.far) {
            local = Local(interfaceIndex: key.interfaceIndex, role: .host, address: nil)
            local.unreported = isWorkload(key.near) || isWorkload(key.far) ? .elsewhere : .transit
        }
        return local
    }

    /// The address of the endpoint that an interface reports a flow for.
    private static func owner(of birth: FlowBirth) -> IPAddress? {
        guard birth.role == .workload else { return birth.key.far }
        return switch birth.nearPlace {
        case .unknown, .behind: birth.key.near
        case .elsewhere(let owner), .notBehind(let owner): owner
        }
    }
}

extension FlowRemainder {
    fileprivate var isZero: Bool {
        ingress == .zero && egress == .zero && deniedIngress == .zero && deniedEgress == .zero
    }

    fileprivate mutating func clear() {
        (ingress, egress, deniedIngress, deniedEgress) = (.zero, .zero, .zero, .zero)
    }
}
