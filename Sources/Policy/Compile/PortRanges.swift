import ClusterModel
import FlowModel

/// Groups the ports of a rule of a Kubernetes policy, in the same way as Calico.
enum PortExpansion {
    /// Groups ports by protocol, sorted by the names of the protocols.
    ///
    /// A nil protocol stands for everything, and nil ports for every port. Each group becomes one rule; adjacent ranges
    /// are merged.
    ///
    /// - Parameters:
    ///   - ports: the ports of the rule; nil or empty for everything.
    ///   - missingProtocol: the protocol of a port without one.
    /// - Returns: the protocols and their ports.
    static func expand(
        _ ports: [PolicyPort]?,
        missingProtocol: [IPProtocol]
    ) -> [(proto: IPProtocol?, ports: [PortMatch]?)] {
        guard let ports, !ports.isEmpty else { return [(nil, nil)] }
        var groups: [IPProtocol: [PortMatch]?] = [:]
        for entry in ports {
            if entry.proto == nil, entry.port == nil { return [(nil, nil)] }
            for proto in entry.proto.map({ [$0] }) ?? missingProtocol {
                guard let port = entry.port else {
                    groups[proto] = .some(nil)
                    continue
                }
                if case .some(.none) = groups[proto] { continue }
                groups[proto, default: []]?.append(port)
            }
        }
        return groups.sorted { name($0.key) < name($1.key) }.map { ($0.key, $0.value.map(merged)) }
    }

    /// The name of the protocol in Kubernetes, which determines the order of the rules.
    private static func name(_ proto: IPProtocol) -> String {
        switch proto {
        case .tcp: "TCP"
        case .udp: "UDP"
        case .sctp: "SCTP"
        default: proto.name
        }
    }

    /// The minimal ranges that cover the same ports, in ascending order, followed by the named ports.
    private static func merged(_ ports: [PortMatch]) -> [PortMatch] {
        var ranges: [ClosedRange<UInt16>] = []
        var others: [PortMatch] = []
        for port in ports {
            if case .range(let range) = port { ranges.append(range) } else { others.append(port) }
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        var merged: [ClosedRange<UInt16>] = []
        for range in ranges {
            if let last = merged.last, Int(range.lowerBound) <= Int(last.upperBound) + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged.map { .range($0) } + others
    }
}
