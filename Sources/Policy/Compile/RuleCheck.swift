import ClusterModel
import FlowModel

/// Finds rules that can never match any connection.
///
/// The run time is linear in the size of the rule, also for hostile input.
enum RuleCheck {
    /// Adds a finding for a rule, or a part of a rule, that can never match.
    ///
    /// - Parameters:
    ///   - criteria: the criteria that must all match.
    ///   - path: the path of the criteria; evaluated only for a finding.
    ///   - findings: receives the findings.
    static func check(_ criteria: [Criterion], at path: @autoclosure () -> String, _ findings: inout FindingCollector) {
        guard let reason = reason(criteria) else { return }
        findings.add(path(), .ineffective, "can never match: \(reason)")
    }

    /// The reason why criteria can never match together; nil if they can match.
    static func reason(_ criteria: [Criterion]) -> String? {
        for criterion in criteria {
            if let reason = reason(criterion) { return reason }
        }
        guard !criteria.isEmpty else { return nil }
        let terms = RuleTerms(criteria)
        return terms.protocolReason ?? terms.familyReason ?? terms.source.reason(terms, "source")
            ?? terms.destination.reason(terms, "destination")
    }

    /// The reason why a single criterion can never match; nil if it can match.
    private static func reason(_ criterion: Criterion) -> String? {
        switch criterion {
        case .never(let reason): reason
        case .ipVersion(let version) where version != 4 && version != 6: "there is no IP version \(version)"
        case .proto(let proto, isNegated: false) where proto.rawValue == 0: "0 is no protocol"
        case .ports(_, let ports, isNegated: false) where ports.allSatisfy { $0 == .unreadable }:
            "no port can be read"
        case .selector(_, let selector, isNegated: false): SelectorCheck.reason(selector.expression)
        default: nil
        }
    }
}

/// The criteria of a rule, grouped by subject.
private struct RuleTerms {
    var version: Int?
    var proto: IPProtocol?
    var notProto: IPProtocol?
    var icmp: ICMPMatch?
    var notICMP: ICMPMatch?
    var source = EndTerms()
    var destination = EndTerms()

    init(_ criteria: [Criterion]) {
        for criterion in criteria {
            switch criterion {
            case .ipVersion(let version): self.version = version
            case .proto(let proto, isNegated: false): self.proto = proto
            case .proto(let proto, isNegated: true): notProto = proto
            case .icmp(let match, isNegated: false): icmp = match
            case .icmp(let match, isNegated: true): notICMP = match
            case .selector(.source, _, _), .nets(.source, _, _), .ports(.source, _, _): source.add(criterion)
            case .selector, .nets, .ports: destination.add(criterion)
            case .service, .domains, .never: break
            }
        }
    }

    /// A contradiction between protocol and ICMP criteria.
    var protocolReason: String? {
        if let proto, proto == notProto { return "it requires \(proto.name) and excludes \(proto.name)" }
        if icmp != nil, let proto, proto != .icmp, proto != .icmp6 {
            return "it requires ICMP and protocol \(proto.name)"
        }
        if let icmp, let notICMP, notICMP.type.map({ $0 == icmp.type }) ?? true,
            notICMP.code.map({ $0 == icmp.code }) ?? true
        {
            return "it requires ICMP messages that notICMP excludes"
        }
        if let proto, !proto.hasPorts, source.hasPorts || destination.hasPorts {
            return "it requires ports, which protocol \(proto.name) does not have"
        }
        return nil
    }

    /// A contradiction between a criterion for IPv4 and one for IPv6.
    var familyReason: String? {
        let ofProtocol = proto == .icmp ? 4 : proto == .icmp6 ? 6 : nil
        let versions = [version, ofProtocol, source.version, destination.version]
        guard let first = versions.firstIndex(where: { $0 != nil }), let one = versions[first],
            let second = versions.firstIndex(where: { $0 != nil && $0 != one }), let other = versions[second]
        else { return nil }
        return "it requires \(words(first, one)) and \(words(second, other))"
    }

    /// A text for a criterion of ``familyReason``, by its index.
    private func words(_ place: Int, _ version: Int) -> String {
        switch place {
        case 0: "IP version \(version)"
        case 1: "protocol \(version == 4 ? "icmp" : "icmp6")"
        default: "\(place == 2 ? "source" : "destination") ranges of IPv\(version)"
        }
    }
}

/// The criteria of a rule for one end.
private struct EndTerms {
    var nets: [IPPrefix]?
    private var notNets: [IPPrefix] = []
    private var ports: [PortMatch] = []
    private var notPorts: [PortMatch] = []
    private var selector: SelectorExpression?
    private var notSelector: SelectorExpression?

    mutating func add(_ criterion: Criterion) {
        switch criterion {
        case .nets(_, let nets, isNegated: false): self.nets = nets
        case .nets(_, let nets, isNegated: true): notNets = nets
        case .ports(_, let ports, isNegated: false): self.ports = ports
        case .ports(_, let ports, isNegated: true): notPorts = ports
        case .selector(_, let selector, isNegated: false): self.selector = selector.expression
        case .selector(_, let selector, isNegated: true): notSelector = selector.expression
        default: break
        }
    }

    /// Whether a criterion requires ports.
    var hasPorts: Bool { !ports.isEmpty }

    /// The IP version of all ranges; nil if there are none or they have different versions.
    var version: Int? {
        guard let nets, let first = nets.first else { return nil }
        return nets.allSatisfy { $0.isIPv4 == first.isIPv4 } ? (first.isIPv4 ? 4 : 6) : nil
    }

    /// A contradiction between required and excluded values.
    func reason(_ terms: RuleTerms, _ end: String) -> String? {
        if !notNets.isEmpty, RangeCover.covers(notNets, nets ?? everything(terms.version)) {
            return "every \(end) address that it requires is excluded"
        }
        if !notPorts.isEmpty, !ports.isEmpty || terms.proto?.hasPorts == true,
            PortCover(notPorts).covers(ports.isEmpty ? [.range(0 ... .max)] : ports)
        {
            return "every \(end) port that it requires is excluded"
        }
        if let selector, let notSelector, SelectorCheck.excludes(notSelector, selector) {
            return "the notSelector of the \(end) excludes what the selector requires"
        }
        return nil
    }

    private func everything(_ version: Int?) -> [IPPrefix] {
        let ranges = [IPPrefix(IPAddress(ipv4: 0), length: 0), IPPrefix(IPAddress(ipv6High: 0, low: 0), length: 0)]
        return ranges.compactMap(\.self).filter { version == nil || $0.isIPv4 == (version == 4) }
    }
}
