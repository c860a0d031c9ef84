import ClusterModel
import FlowModel

/// Evaluates single criteria without caches, and describes why they do not match.
enum CriterionCheck {
    /// Whether a criterion matches.
    static func holds(_ criterion: Criterion, _ query: PolicyQuery, _ world: PolicyWorld) -> Bool {
        let packets = query.packets
        switch criterion {
        case .never: return false
        case .ipVersion(let version): return version == (packets.destination.isIPv4 ? 4 : 6)
        case .proto(let proto, let isNegated):
            return (proto == packets.proto && proto.rawValue != 0) != isNegated
        case .icmp(let match, let isNegated): return hasICMP(match, query) != isNegated
        case .nets(let side, let nets, let isNegated):
            return nets.contains { $0.contains(address(side, query)) } != isNegated
        case .ports(let side, let ports, let isNegated): return hasPort(PortList(ports), side, query) != isNegated
        case .selector(let side, let selector, let isNegated):
            return things(side, query, world).contains { selector.matches($0.labels) } != isNegated
        case .service(let side, let service):
            guard let number = world.tables.services.firstIndex(of: service) else { return false }
            let set = side == .source ? query.sourceServices : query.destinationServices
            return world.services.contains(set, UInt32(number))
        }
    }

    /// The condition of a criterion that is not met, and the actual value.
    static func missing(_ criterion: Criterion, _ query: PolicyQuery, _ world: PolicyWorld) -> String {
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
            case .nets(let side, _, _): address(side, query).description
            case .ports(let side, let ports, _): portText(ports, side, query)
            case .selector(let side, _, _): thingsText(side, query, world)
            }
        return "does not hold: \(criterion)" + (instead.map { "; it is \($0)" } ?? "")
    }

    // MARK: - Ends

    /// The endpoint and the network sets at an address, with their labels.
    private static func things(
        _ side: FlowSide,
        _ query: PolicyQuery,
        _ world: PolicyWorld
    ) -> [(name: String, labels: [Label])] {
        var things: [(name: String, labels: [Label])] = []
        if let identity = side == .source ? query.source : query.destination {
            things.append((identity.kind == .host ? "host endpoint" : "pod", world.labels(identity)))
        }
        _ = world.addresses.containsSet(side == .source ? query.sourceClass : query.destinationClass) { set in
            things.append(("network set", world.labels(set)))
            return false
        }
        return things
    }

    private static func thingsText(_ side: FlowSide, _ query: PolicyQuery, _ world: PolicyWorld) -> String {
        let things = things(side, query, world)
        guard !things.isEmpty else { return "no known endpoint or network set" }
        return things.map { thing in
            let labels = thing.labels.filter { !$0.key.hasPrefix(CalicoLabel.namespacePrefix) }.prefix(12)
            return "a \(thing.name) with " + labels.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
        }.joined(separator: " and ")
    }

    /// The destination port, and the endpoint's port numbers for the named ports of the rule.
    private static func portText(_ ports: [PortMatch], _ side: FlowSide, _ query: PolicyQuery) -> String {
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

    private static func address(_ side: FlowSide, _ query: PolicyQuery) -> IPAddress {
        side == .source ? query.packets.source : query.packets.destination
    }

    private static func hasICMP(_ match: ICMPMatch, _ query: PolicyQuery) -> Bool {
        guard query.isICMP else { return false }
        let message = query.packets.destinationPort
        return match.type.map { UInt16($0) == message >> 8 } ?? true
            && match.code.map { UInt16($0) == message & 0xff } ?? true
    }

    private static func hasPort(_ list: PortList, _ side: FlowSide, _ query: PolicyQuery) -> Bool {
        guard query.packets.proto.hasPorts else { return false }
        let port = side == .source ? query.packets.sourcePort : query.packets.destinationPort
        return list.hasNumber(port)
            || list.hasName(port, query.packets.proto, of: side == .source ? query.source : query.destination)
    }
}
