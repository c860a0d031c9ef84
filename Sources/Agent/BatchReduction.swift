import FlowModel

/// Takes the new flows out of batches and adds their packets up by interface and local address.
///
/// That is left to do when there is no time for each flow: sums stay exact, the other ends are gone.
struct BatchReduction {
    /// Whose packets they are.
    private struct Local: Hashable {
        let interfaceIndex: UInt32
        let role: InterfaceRole
        let address: IPAddress
    }

    /// Numbers of flows that were taken out, and where their packets go.
    private var places: [UInt32: Int] = [:]
    private var locals: [Local: Int] = [:]
    private var sums: [FlowRemainder] = []

    /// How many flows were taken out so far.
    private(set) var flows: UInt64 = 0

    /// Nothing was taken out yet.
    init() {}

    /// A batch without its new flows, and without what it says of those that were taken out before; their packets are among
    /// its remainders.
    ///
    /// - Parameters:
    ///   - batch: what the datapath says.
    ///   - isOwn: whether an address is the host's. Flows of a host interface of which neither end is stay as they are: they
    ///     are nobody's here.
    /// - Returns: what is left.
    mutating func reduce(_ batch: FlowBatch, isOwn: (IPAddress) -> Bool) -> FlowBatch {
        var rest = FlowBatch()
        rest.verdicts = batch.verdicts
        rest.remainders = batch.remainders
        for birth in batch.births {
            if let local = Self.local(of: birth, isOwn) {
                places[birth.number] = place(of: local)
                flows += 1
            } else {
                places[birth.number] = nil
                rest.births.append(birth)
            }
        }
        for delta in batch.deltas {
            guard let place = places[delta.number] else {
                rest.deltas.append(delta)
                continue
            }
            sums[place].ingress += delta.ingress
            sums[place].egress += delta.egress
        }
        for drop in batch.drops {
            guard let place = places[drop.number] else {
                rest.drops.append(drop)
                continue
            }
            if !drop.isIngressCounted { sums[place].ingress += drop.deniedIngress }
            sums[place].deniedIngress += drop.deniedIngress
            sums[place].deniedEgress += drop.deniedEgress
        }
        for number in batch.ends where places.removeValue(forKey: number) == nil { rest.ends.append(number) }
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
        sums.append(FlowRemainder(interfaceIndex: local.interfaceIndex, role: local.role, local: local.address))
        locals[local] = sums.count - 1
        return sums.count - 1
    }

    /// Whose a flow is; nil if neither end is this node's, as far as the interface says.
    private static func local(of birth: FlowBirth, _ isOwn: (IPAddress) -> Bool) -> Local? {
        let key = birth.key
        let address: IPAddress? =
            switch birth.role {
            case .workload:
                switch birth.nearPlace {
                case .unknown, .behind: key.near
                case .elsewhere(let owner), .notBehind(let owner): owner
                }
            case .host: isOwn(key.far) ? key.far : nil
            }
        return address.map { Local(interfaceIndex: key.interfaceIndex, role: birth.role, address: $0) }
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
