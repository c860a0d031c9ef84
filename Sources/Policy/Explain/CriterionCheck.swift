import ClusterModel
import FlowModel

/// Evaluates single criteria without caches, and describes why they do not match.
struct CriterionCheck {
    /// The connection.
    let query: PolicyQuery
    /// The state that the connection is evaluated against.
    let world: PolicyWorld
    /// The rule with the criteria.
    let rule: RuleDraft
    /// The direction of the rule.
    let direction: FlowDirection

    /// Whether a criterion matches.
    func holds(_ criterion: Criterion) -> Bool {
        let packets = query.packets
        switch criterion {
        case .never: return false
        case .ipVersion(let version): return version == (packets.destination.isIPv4 ? 4 : 6)
        case .proto(let proto, let isNegated):
            return (proto == packets.proto && proto.rawValue != 0) != isNegated
        case .icmp(let match, let isNegated): return hasICMP(match) != isNegated
        case .nets(let side, let nets, let isNegated):
            return nets.contains { $0.contains(address(side)) } != isNegated
        case .ports(let side, let ports, let isNegated): return hasPort(PortList(ports), side) != isNegated
        case .selector(let side, let selector, let isNegated):
            return things(side, criterion).contains { selector.matches($0.labels) } != isNegated
        case .service(let side, let service):
            guard let number = world.tables.services.firstIndex(of: service) else { return false }
            let set = side == .source ? query.sourceServices : query.destinationServices
            return world.services.contains(set, UInt32(number))
        case .domains(let domains): return DomainList(domains).matches(names)
        }
    }

    /// A text with a criterion that does not match, and the actual value.
    func missing(_ criterion: Criterion) -> String {
        let packets = query.packets
        let instead: String? =
            switch criterion {
            case .never, .service: nil
            case .ipVersion: packets.destination.isIPv4 ? "4" : "6"
            case .proto: packets.proto.name
            case .icmp:
                query.isICMP
                    ? "type \(packets.destinationPort >> 8) code \(packets.destinationPort & 0xff)"
                    : "protocol \(packets.proto.name)"
            case .nets(let side, _, _): address(side).description
            case .ports(let side, let ports, _): portText(ports, side)
            case .selector(let side, _, _): thingsText(side, criterion)
            case .domains: domainText
            }
        return "does not hold: \(criterion)" + (instead.map { "; it is \($0)" } ?? "")
    }

    // MARK: - Ends

    /// The endpoint and the network sets at an address, with their labels.
    private func things(_ side: FlowSide, _ criterion: Criterion) -> [(name: String, labels: [Label])] {
        var things: [(name: String, labels: [Label])] = []
        if let identity = side == .source ? query.source : query.destination {
            things.append((identity.kind == .host ? "host endpoint" : "pod", world.labels(identity)))
        }
        _ = world.addresses.containsSet(side == .source ? query.sourceClass : query.destinationClass) { set in
            things.append(("network set", world.labels(set)))
            return false
        }
        guard rule.matchesDomains(of: criterion, direction) else { return things }
        for set in world.domainSets where world.tables.domains[Int(set.domains)].matches(names) {
            things.append(("network set", world.labels(set.identity)))
        }
        return things
    }

    /// The known domain names of the destination.
    private var names: [String] {
        if case .known(let names) = query.domains { names } else { [] }
    }

    private var domainText: String {
        switch query.domains {
        case .unknown: "not known which names \(address(.destination)) has"
        case .none: "an endpoint of the cluster"
        case .known(let names): names.isEmpty ? "an address without a known name" : names.joined(separator: ", ")
        }
    }

    private func thingsText(_ side: FlowSide, _ criterion: Criterion) -> String {
        let things = things(side, criterion)
        guard !things.isEmpty else { return "no known endpoint or network set" }
        let text = "\(criterion)"
        return things.map { thing in
            // Labels that Calico adds are shown only if the selector names them.
            let labels = thing.labels.filter { text.contains($0.key) || !CalicoLabel.isAdded($0.key) }.prefix(12)
            guard !labels.isEmpty else { return "a \(thing.name) without labels" }
            return "a \(thing.name) with " + labels.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        }.joined(separator: " and ")
    }

    /// The destination port, and the endpoint's port numbers for the named ports of the rule.
    private func portText(_ ports: [PortMatch], _ side: FlowSide) -> String {
        let proto = query.packets.proto
        guard proto.hasPorts else { return "protocol \(proto.name) without ports" }
        let port = "\(side == .source ? query.packets.sourcePort : query.packets.destinationPort)"
        let names = PortList(ports).names
        guard !names.isEmpty else { return port }
        guard let endpoint = side == .source ? query.source : query.destination else {
            return "\(port)/\(proto.name) of no known endpoint, and only endpoints have named ports"
        }
        let named = names.map { name in
            let numbers = endpoint.namedPorts.filter { $0.name == name }.map { "\($0.port)/\($0.proto.name)" }
            return numbers.isEmpty
                ? "the endpoint has no port named '\(name)'"
                : "'\(name)' is \(numbers.joined(separator: ", "))"
        }
        return "\(port)/\(proto.name), and " + named.prefix(8).joined(separator: ", ")
    }

    private func address(_ side: FlowSide) -> IPAddress {
        side == .source ? query.packets.source : query.packets.destination
    }

    private func hasICMP(_ match: ICMPMatch) -> Bool {
        guard query.isICMP else { return false }
        let message = query.packets.destinationPort
        return match.type.map { UInt16($0) == message >> 8 } ?? true
            && match.code.map { UInt16($0) == message & 0xff } ?? true
    }

    private func hasPort(_ list: PortList, _ side: FlowSide) -> Bool {
        guard query.packets.proto.hasPorts else { return false }
        let port = side == .source ? query.packets.sourcePort : query.packets.destinationPort
        return list.hasNumber(port)
            || list.hasName(port, query.packets.proto, of: side == .source ? query.source : query.destination)
    }
}
