import FlowModel

/// The traffic that policies govern, and the traffic that they never govern.
extension FlowAggregator {
    /// Returns the decisions of policies at both ends of a connection; nil for an end whose policies are not evaluated.
    func traces(of connection: ResolvedFlow) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        traces(of: connection, by: resolver, evaluator)
    }

    /// Does the same with other snapshots.
    func traces(
        of connection: ResolvedFlow,
        by resolver: any EndpointResolver,
        _ evaluator: (any PolicyEvaluator)?
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        if connection.reporter == .forward { return (nil, connection.policies) }
        guard let evaluator, !connection.isBeyondPolicies, !connection.origin.contains(.unsolicited) else {
            return (nil, nil)
        }
        let domains = names.domains(
            of: connection,
            at: ledger.budget.interfaceIndex(of: connection.share),
            for: evaluator
        )
        let traces = evaluator.traces(of: connection, domains: domains)
        return (traces.egress, connection.isOfPodsOwnNode(by: resolver) ? nil : traces.ingress)
    }

    /// Looks up domain names for policies.
    var names: DestinationNames { DestinationNames(names: domains, resolver: resolver) }
}

extension ResolvedFlow {
    /// Whether policies decide at neither end of the connection.
    ///
    /// - ICMP and ICMPv6 errors, which belong to another connection: a packet filter allows them together with that connection
    ///   (RFC 792, RFC 4443 section 2.1; conntrack's state RELATED).
    /// - Packets that a link needs to work: neighbour and router discovery, multicast group membership, everything that is sent
    ///   to the hosts of a link.
    /// - Packets that an endpoint sends to itself, as through a service: a pod cannot block access to itself.
    var isBeyondPolicies: Bool {
        if proto.isICMP, packets.isAuxiliaryICMP { return true }
        if proto == .igmp || destination.address.isOnLinkOnly { return true }
        if source.address == destination.address { return true }
        return source.owner.kind == .workload && source.owner.object == destination.owner.object
    }

    /// Whether this host calls one of its own workloads, as the kubelet does for probes: no policy forbids that.
    func isOfPodsOwnNode(by resolver: any EndpointResolver) -> Bool {
        resolver.isOwn(source.address) && resolver.isLocalWorkload(destination.address)
    }

    /// Whether a workload calls the host that it runs on.
    ///
    /// Kubernetes always allows these connections; Calico evaluates the workload's egress policies.
    func isToPodsOwnNode(by resolver: any EndpointResolver) -> Bool {
        resolver.isLocalWorkload(source.address) && resolver.isOwn(destination.address)
    }
}

extension TrackedConnection.Tuple {
    /// Whether an ICMP message is an error, or keeps the link working; other messages are queries, which make connections.
    fileprivate var isAuxiliaryICMP: Bool {
        let type = destinationPort >> 8
        switch (proto, type) {
        // Unreachable, source quench, redirect; router discovery; time exceeded, parameter problem (IANA, icmp-parameters).
        case (.icmp, 3...5), (.icmp, 9...12): return true
        // All below 128 are errors (IANA, icmpv6-parameters).
        case (.icmp6, ..<128): return true
        // Multicast listeners, neighbour discovery; its inverse, MLDv2; SEND; multicast routers.
        case (.icmp6, 130...137), (.icmp6, 141...143), (.icmp6, 148...149), (.icmp6, 151...153): return true
        default: return false
        }
    }
}

extension IPProtocol {
    /// The Internet Group Management Protocol, which no router forwards.
    fileprivate static let igmp = IPProtocol(rawValue: 2)
}

extension IPAddress {
    /// Whether the address is of a multicast group: 224.0.0.0/4, ff00::/8.
    var isMulticast: Bool {
        if let ipv4 { return ipv4 >> 28 == 0xe }
        return UInt64(bigEndian: word0) >> 56 == 0xff
    }

    /// Whether the address is for hosts of one link only: 224.0.0.0/24, 255.255.255.255; multicast of interface or link scope.
    fileprivate var isOnLinkOnly: Bool {
        if let ipv4 { return ipv4 >> 8 == 0xe0_0000 || ipv4 == .max }
        let head = UInt64(bigEndian: word0) >> 48
        return head >> 8 == 0xff && (1...2).contains(head & 0xf)
    }
}
