public import FlowModel

/// A rule of a Calico policy (`projectcalico.org/v3` Rule): all that it says must hold.
public struct CalicoRule: Sendable, Hashable {
    /// The action of a rule on the packets that it matches.
    public enum Action: String, Sendable, Hashable {
        /// Lets it through.
        case allow = "Allow"
        /// Drops it.
        case deny = "Deny"
        /// Notes it, and goes on with the next rule.
        case log = "Log"
        /// Leaves it to the next tier.
        case pass = "Pass"
    }

    /// The action.
    public var action: Action
    /// 4 or 6; any other number matches nothing, nil both.
    public var ipVersion: Int?
    /// The protocol; nil for all.
    public var proto: ProtocolMatch?
    /// The protocol that it must not be.
    public var notProto: ProtocolMatch?
    /// Type and code of an ICMP message.
    public var icmp: ICMPMatch?
    /// Type and code that it must not have.
    public var notICMP: ICMPMatch?
    /// The condition for an HTTP request.
    public var http: HTTPMatch?
    /// The end that began.
    public var source: EntityRule
    /// The end that was called.
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

/// Type and code of ICMP messages (`icmp`, `notICMP`).
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
        /// This one.
        case exact(String)
        /// This one and all below it.
        case prefix(String)
        /// Neither of the two is written: it matches nothing.
        case unknown
    }

    /// The methods, as in `GET`; none, or `*`, for all.
    public var methods: [String]
    /// The paths; none for all.
    public var paths: [Path]

    /// Takes all members.
    public init(methods: [String] = [], paths: [Path] = []) {
        self.methods = methods
        self.paths = paths
    }
}

/// The conditions for one end of a connection (`source`, `destination`), which must all hold.
public struct EntityRule: Sendable, Hashable {
    /// Ranges; one must contain the address.
    ///
    /// Nil for no condition, which an empty list is too; empty if not one of those that are written can be read, so that
    /// nothing matches.
    public var nets: [IPPrefix]?
    /// Ranges; none may contain the address.
    public var notNets: [IPPrefix]
    /// The selector that must select the endpoint or network set; empty for no condition.
    public var selector: String
    /// The selector that must not select it; empty for no condition.
    public var notSelector: String
    /// The selector that must select its namespace; empty for no condition of its own.
    public var namespaceSelector: String
    /// Ports; one must match; empty for no condition.
    public var ports: [PortMatch]
    /// Ports; none may match.
    public var notPorts: [PortMatch]
    /// Service accounts; one must match.
    public var serviceAccounts: ServiceAccountMatch?
    /// The service for which it must answer.
    public var service: ServiceMatch?
    /// Domain names; one must resolve to the address; empty for no condition.
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

/// Service accounts by name and by label (`serviceAccounts`): where both are set, both must match.
public struct ServiceAccountMatch: Sendable, Hashable {
    /// The names; none for no condition.
    public var names: [String]
    /// The selector that must select it; empty for no condition.
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
