import FlowModel

/// Whether the address of a near end may be resolved to an endpoint.
enum NearStanding: UInt8 {
    /// The kernel has no information about the address.
    case unknown
    /// The address belongs behind the interface.
    case behind
    /// The address belongs elsewhere: the sender at this interface is not its owner.
    case elsewhere
    /// The address is not among the known addresses behind the interface.
    case notBehind

    /// Takes the result of the datapath.
    init(_ place: NearPlace) {
        switch place {
        case .unknown: self = .unknown
        case .behind: self = .behind
        case .elsewhere: self = .elsewhere
        case .notBehind: self = .notBehind
        }
    }
}

extension Conversation {
    /// Whether the near end has no known owner yet, and may be a workload.
    func nearMayBecomeKnown(by resolver: any EndpointResolver) -> Bool {
        switch nearStanding {
        case .unknown, .behind: resolver.mayBecomeKnown(near, began: began)
        // Workloads of other hosts are behind an uplink.
        case .notBehind: role == .host && resolver.mayBecomeKnown(near, began: began)
        case .elsewhere: false
        }
    }

    /// Whether the near end may be a workload of this host.
    func nearMayBecomeLocal(by resolver: any EndpointResolver) -> Bool {
        nearStanding != .notBehind && nearMayBecomeKnown(by: resolver)
    }

    /// Returns the owner of an end's address, unless another sender used the address.
    ///
    /// An address that is not behind a workload's interface may be one that a virtual machine or a gateway forwards for.
    /// Records show such an address, and network sets may contain it, but it is resolved to no pod and no host.
    func endpoint(
        _ address: IPAddress,
        _ owner: Endpoint,
        of end: InterfaceEnd,
        by resolver: any EndpointResolver
    ) -> FlowEndpoint {
        guard end == .near else {
            guard isFarForged else { return FlowEndpoint(address: address, owner: owner, by: resolver, began: began) }
            return FlowEndpoint(address: address, owner: resolver.network(of: address), mayBecomeKnown: false)
        }
        let isOwners =
            switch nearStanding {
            case .unknown: true
            // A workload behind the interface may have configured the address of another host's pod.
            case .behind: role != .workload || owner.kind != .workload || resolver.isLocalWorkload(address)
            case .notBehind: role != .workload || owner.kind == .network || owner.kind == .networkSet
            case .elsewhere: false
            }
        let shown = isOwners ? owner : resolver.network(of: address)
        let mayBecomeKnown = isOwners && !owner.isWorkloadOrHost && nearMayBecomeKnown(by: resolver)
        return FlowEndpoint(address: address, owner: shown, mayBecomeKnown: mayBecomeKnown)
    }
}
