public import FlowModel

/// The directions that a policy applies to, from the view of the selected endpoint.
public struct PolicyDirections: OptionSet, Sendable, Hashable {
    /// The bits.
    public var rawValue: UInt8

    /// Takes the bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Traffic to the endpoint.
    public static let ingress = PolicyDirections(rawValue: 1)
    /// Traffic from the endpoint.
    public static let egress = PolicyDirections(rawValue: 2)
}

/// A port in a rule.
public enum PortMatch: Sendable, Hashable {
    /// A range of port numbers; a single number is a range of one.
    case range(ClosedRange<UInt16>)
    /// The port of the endpoint with this name.
    case name(String)
    /// The text is not a port; it matches nothing.
    case unreadable
}

/// A protocol in a rule.
public enum ProtocolMatch: Sendable, Hashable {
    /// A protocol by its number, 1 to 255.
    case number(IPProtocol)
    /// The text is not a protocol; it matches nothing.
    case unreadable
}

/// A protocol with an optional port, as in rules of Kubernetes policies.
public struct PolicyPort: Sendable, Hashable {
    /// The protocol; nil if it is absent.
    ///
    /// With a port, nil means TCP; with a named port of an ``AdminPolicy``, any protocol.
    public var proto: IPProtocol?
    /// The port; nil for every port of the protocol.
    ///
    /// Protocol and port are both nil for all traffic.
    public var port: PortMatch?

    /// Takes all members.
    public init(proto: IPProtocol?, port: PortMatch?) {
        self.proto = proto
        self.port = port
    }
}

/// The action of a staged policy (`spec.stagedAction`).
public enum StagedAction: String, Sendable, Hashable {
    /// The policy would be enforced; it would replace an enforced policy of the same name.
    case set = "Set"
    /// The enforced policy of the same name would be removed.
    case delete = "Delete"
    /// The policy is for learning.
    case learn = "Learn"
    /// The policy is ignored.
    case ignore = "Ignore"
}
