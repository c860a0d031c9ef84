import ClusterModel
import FlowModel

/// An end of a connection.
enum FlowSide: UInt8, Sendable, Hashable {
    /// The end that began.
    case source
    /// The end that was called.
    case destination
}

/// One thing that a rule asks of a connection; a rule matches if all that it asks holds.
enum Criterion: Sendable, Hashable {
    /// The IP version.
    case ipVersion(Int)
    /// The protocol, by its number.
    case proto(IPProtocol, isNegated: Bool)
    /// Type and code of an ICMP message.
    case icmp(ICMPMatch, isNegated: Bool)
    /// The endpoint, or a network set with the address, by labels.
    case selector(FlowSide, Selector, isNegated: Bool)
    /// Whether one of some ranges has the address.
    case nets(FlowSide, [IPPrefix], isNegated: Bool)
    /// Whether the port is one of some.
    case ports(FlowSide, [PortMatch], isNegated: Bool)
    /// Whether a service's endpoint has the address, and as destination the port.
    case service(FlowSide, ServiceName)
    /// What cannot be read or known: it never holds.
    case never(String)
}

/// The name of a service.
struct ServiceName: Sendable, Hashable {
    /// The namespace.
    var namespace: String
    /// The name.
    var name: String
}

extension Criterion: CustomStringConvertible {
    /// What it asks, in words, as in `destination port is one of 80, 443`.
    var description: String {
        switch self {
        case .ipVersion(let version): "IP version is \(version)"
        case .proto(let proto, let isNegated): "protocol is \(Self.not(isNegated))\(proto.name)"
        case .icmp(let match, let isNegated): Self.icmpText(match, isNegated)
        case .selector(let side, let selector, let isNegated):
            "\(side) is \(Self.not(isNegated))selected by \(selector)"
        case .nets(let side, let nets, let isNegated):
            "\(side) address is \(Self.not(isNegated))in \(Self.list(nets.map(\.description)))"
        case .ports(let side, let ports, let isNegated):
            "\(side) port is \(Self.not(isNegated))\(Self.list(ports.map(\.text)))"
        case .service(.source, let service): "source answers for service \(service.namespace)/\(service.name)"
        case .service(.destination, let service):
            "destination and its port answer for service \(service.namespace)/\(service.name)"
        case .never(let reason): reason
        }
    }

    private static func not(_ isNegated: Bool) -> String { isNegated ? "not " : "" }

    private static func icmpText(_ match: ICMPMatch, _ isNegated: Bool) -> String {
        let type = match.type.map { "type is \(not(isNegated && match.code == nil))\($0)" }
        let code = match.code.map { "code is \(not(isNegated && match.type == nil))\($0)" }
        let text = "ICMP " + [type, code].compactMap(\.self).joined(separator: " and ")
        return isNegated && match.type != nil && match.code != nil ? "not (\(text))" : text
    }

    private static func list(_ texts: [String]) -> String {
        let shown = texts.prefix(8).joined(separator: ", ")
        let more = texts.count > 8 ? ", … (\(texts.count) in all)" : ""
        return texts.count == 1 ? shown : "one of \(shown)\(more)"
    }
}

extension PortMatch {
    /// As it stands in a sentence: a name says that it is one, since it may look like a number.
    var text: String {
        switch self {
        case .range(let range) where range.lowerBound == range.upperBound: "\(range.lowerBound)"
        case .range(let range): "\(range.lowerBound):\(range.upperBound)"
        case .name(let name): "named '\(name)'"
        case .unreadable: "(unreadable)"
        }
    }
}
