public import FlowModel

/// A rule of a Calico policy (`projectcalico.org/v3` Rule); all of its conditions must hold.
public struct CalicoRule: Sendable, Hashable {
    /// The action of a rule on the packets that it matches.
    public enum Action: String, Sendable, Hashable {
        /// Allows the packet.
        case allow = "Allow"
        /// Denies the packet.
        case deny = "Deny"
        /// Logs the packet, and continues with the next rule.
        case log = "Log"
        /// Passes the packet to the next tier.
        case pass = "Pass"
    }

    /// The action.
    public var action: Action
    /// The IP version, 4 or 6; nil for both.
    ///
    /// Any other number matches nothing.
    public var ipVersion: Int?
    /// The protocol; nil for all.
    public var proto: ProtocolMatch?
    /// The protocol that must not match.
    public var notProto: ProtocolMatch?
    /// The type and code of an ICMP message.
    public var icmp: ICMPMatch?
    /// The type and code that must not match.
    public var notICMP: ICMPMatch?
    /// The condition for an HTTP request.
    public var http: HTTPMatch?
    /// The conditions for the source, which opened the connection.
    public var source: EntityRule
    /// The conditions for the destination.
    public var destination: EntityRule

    /// Takes all members.
    public init(
        action: Action,
        ipVersion: Int? = nil,
        proto: ProtocolMatch? = nil,
        notProto: ProtocolMatch? = nil,
        icmp: ICMPMatch? = nil,
        notICMP: ICMPMatch? = nil,
        http: HTTPMatch? = nil,
        source: EntityRule = EntityRule(),
        destination: EntityRule = EntityRule()
    ) {
        self.action = action
        self.ipVersion = ipVersion
        self.proto = proto
        self.notProto = notProto
        self.icmp = icmp
        self.notICMP = notICMP
        self.http = http
        self.source = source
        self.destination = destination
    }
}

/// The type and code of ICMP messages (`icmp`, `notICMP`).
public struct ICMPMatch: Sendable, Hashable {
    /// The type; nil for all.
    public var type: UInt8?
    /// The code; nil for all.
    public var code: UInt8?

    /// Takes all members.
    public init(type: UInt8? = nil, code: UInt8? = nil) {
        self.type = type
        self.code = code
    }
}

/// The condition for an HTTP request (`http`): one of the methods and one of the paths.
public struct HTTPMatch: Sendable, Hashable {
    /// A path of a request.
    public enum Path: Sendable, Hashable {
        /// Exactly this path.
        case exact(String)
        /// This path and all paths that begin with it.
        case prefix(String)
        /// The path has no known form; it matches nothing.
        case unknown
    }

    /// The methods, as in `GET`; empty or `*` for all.
    public var methods: [String]
    /// The paths; empty for all.
    public var paths: [Path]

    /// Takes all members.
    public init(methods: [String] = [], paths: [Path] = []) {
        self.methods = methods
        self.paths = paths
    }
}

/// The conditions for one end of a connection (`source`, `destination`); all of them must hold.
public struct EntityRule: Sendable, Hashable {
    /// Ranges; at least one must contain the address.
    ///
    /// Nil for no condition.
    ///
    /// An empty list in the object is nil, too. The value is empty if all ranges in the object are unreadable, so that
    /// nothing matches.
    public var nets: [IPPrefix]?
    /// Ranges that must not contain the address.
    public var notNets: [IPPrefix]
    /// The selector that must select the endpoint or network set; empty for no condition.
    public var selector: String
    /// The selector that must not select the endpoint or network set; empty for no condition.
    public var notSelector: String
    /// The selector that must select the namespace of the endpoint; empty for no condition.
    public var namespaceSelector: String
    /// Ports; at least one must match.
    ///
    /// Empty for no condition.
    public var ports: [PortMatch]
    /// Ports that must not match.
    public var notPorts: [PortMatch]
    /// Service accounts; at least one must match.
    ///
    /// Nil for no condition.
    public var serviceAccounts: ServiceAccountMatch?
    /// The service that the end must be a backend of; nil for no condition.
    public var service: ServiceMatch?
    /// Domain names; at least one must resolve to the address.
    ///
    /// Empty for no condition.
    public var domains: [String]

    /// Takes all members.
    public init(
        nets: [IPPrefix]? = nil,
        notNets: [IPPrefix] = [],
        selector: String = "",
        notSelector: String = "",
        namespaceSelector: String = "",
        ports: [PortMatch] = [],
        notPorts: [PortMatch] = [],
        serviceAccounts: ServiceAccountMatch? = nil,
        service: ServiceMatch? = nil,
        domains: [String] = []
    ) {
        self.nets = nets
        self.notNets = notNets
        self.selector = selector
        self.notSelector = notSelector
        self.namespaceSelector = namespaceSelector
        self.ports = ports
        self.notPorts = notPorts
        self.serviceAccounts = serviceAccounts
        self.service = service
        self.domains = domains
    }
}

/// Service accounts by name and by label (`serviceAccounts`); if both are set, both must match.
public struct ServiceAccountMatch: Sendable, Hashable {
    /// The names; empty for no condition.
    public var names: [String]
    /// The selector that must select the service account; empty for no condition.
    public var selector: String

    /// Takes all members.
    public init(names: [String] = [], selector: String = "") {
        self.names = names
        self.selector = selector
    }
}

/// A service by its name (`services`).
public struct ServiceMatch: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The namespace; nil for the policy's own.
    public var namespace: String?

    /// Takes all members.
    public init(name: String, namespace: String? = nil) {
        self.name = name
        self.namespace = namespace
    }
}
