import ClusterModel
import FlowModel

/// Finds rules that can never match, whatever the connection.
enum RuleCheck {
    /// Adds what is wrong with a rule.
    static func check(_ rule: RuleDraft, _ findings: inout FindingCollector) {
        for criterion in rule.criteria {
            guard let reason = reason(criterion, rule.criteria) else { continue }
            findings.add(rule.path, .ineffective, "can never match: \(reason)")
            return
        }
    }

    /// Why a criterion can never hold together with the others; nil if it can.
    private static func reason(_ criterion: Criterion, _ all: [Criterion]) -> String? {
        switch criterion {
        case .never(let reason): reason
        case .ipVersion(let version) where version != 4 && version != 6: "there is no IP version \(version)"
        case .proto(let proto, let isNegated): protoReason(proto, isNegated, all)
        case .icmp(_, isNegated: false): icmpReason(all)
        case .ports(_, let ports, isNegated: false): portsReason(ports, all)
        case .nets(_, let nets, isNegated: false): netsReason(nets, all)
        case .selector(_, let selector, isNegated: false): selectorReason(selector)
        default: nil
        }
    }

    private static func protocols(_ all: [Criterion]) -> [IPProtocol] {
        all.compactMap { criterion in
            if case .proto(let proto, isNegated: false) = criterion { proto } else { nil }
        }
    }

    private static func protoReason(_ proto: IPProtocol, _ isNegated: Bool, _ all: [Criterion]) -> String? {
        if proto.rawValue == 0 { return isNegated ? nil : "0 is no protocol" }
        guard !isNegated else { return nil }
        return all.contains(.proto(proto, isNegated: true))
            ? "it asks for \(proto.name) and for not \(proto.name)" : nil
    }

    private static func icmpReason(_ all: [Criterion]) -> String? {
        let others = protocols(all).filter { $0 != .icmp && $0 != .icmp6 }
        return others.first.map { "it asks for ICMP and for protocol \($0.name)" }
    }

    private static func portsReason(_ ports: [PortMatch], _ all: [Criterion]) -> String? {
        if ports.allSatisfy({ $0 == .unreadable }) { return "no port can be read" }
        let others = protocols(all).filter { !$0.hasPorts }
        return others.first.map { "it asks for ports, which protocol \($0.name) does not have" }
    }

    private static func netsReason(_ nets: [IPPrefix], _ all: [Criterion]) -> String? {
        for criterion in all {
            if case .ipVersion(let version) = criterion, !nets.contains(where: { $0.isIPv4 == (version == 4) }) {
                return "it asks for IP version \(version) and ranges of the other"
            }
        }
        return nil
    }

    /// A conjunction that asks for two values of the same label.
    private static func selectorReason(_ selector: Selector) -> String? {
        guard case .and(let parts) = selector.expression else { return nil }
        var values: [String: String] = [:]
        for case .compare(let key, .equals, let value) in parts {
            if let other = values.updateValue(value, forKey: key), other != value {
                return "it asks for label \(key) to be both \(other) and \(value)"
            }
        }
        return nil
    }
}
