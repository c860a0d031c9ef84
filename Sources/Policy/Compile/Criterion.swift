import ClusterModel
import FlowModel

/// An end of a connection.
enum FlowSide: UInt8, Sendable, Hashable {
    /// The endpoint that opens the connection.
    case source
    /// The endpoint that receives the connection.
    case destination
}

/// A match criterion of a rule; a rule matches if all its criteria match.
enum Criterion: Sendable, Hashable {
    /// The IP version.
    case ipVersion(Int)
    /// The protocol, by its number.
    case proto(IPProtocol, isNegated: Bool)
    /// The type and code of an ICMP message.
    case icmp(ICMPMatch, isNegated: Bool)
    /// A selector for the labels of the endpoint, or of a network set that contains the address.
    case selector(FlowSide, Selector, isNegated: Bool)
    /// Address ranges; at least one must contain the address.
    case nets(FlowSide, [IPPrefix], isNegated: Bool)
    /// Ports; at least one must match.
    case ports(FlowSide, [PortMatch], isNegated: Bool)
    /// A service with the address as an endpoint; for the destination, also with the port.
    case service(FlowSide, ServiceName)
    /// Domain names; at least one must belong to the destination address.
    case domains([DomainPattern])
    /// An invalid or unknown criterion, which never matches; with the reason.
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
    /// The criterion as a text, such as `destination port is one of 80, 443`.
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
        case .domains(let domains): "destination domain is \(Self.list(domains.map(\.description)))"
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
    /// The port as part of a sentence; a named port is marked as a name, because it can look like a number.
    var text: String {
        switch self {
        case .range(let range) where range.lowerBound == range.upperBound: "\(range.lowerBound)"
        case .range(let range): "\(range.lowerBound):\(range.upperBound)"
        case .name(let name): "named '\(name)'"
        case .unreadable: "(unreadable)"
        }
    }
}
