public import FlowModel

/// The directions that a policy governs, as the selected endpoint sees them.
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

/// A port that a rule names.
public enum PortMatch: Sendable, Hashable {
    /// All numbers of a range; of a single number, a range of one.
    case range(ClosedRange<UInt16>)
    /// The port that the endpoint calls so.
    case name(String)
    /// The text is not a port: it matches nothing.
    case unreadable
}

/// A protocol that a rule names.
public enum ProtocolMatch: Sendable, Hashable {
    /// A protocol by its number, 1 to 255.
    case number(IPProtocol)
    /// The text is not a protocol: it matches nothing.
    case unreadable
}

/// A protocol with or without a port, as the rules of Kubernetes' policies name them.
public struct PolicyPort: Sendable, Hashable {
    /// The protocol; nil where none is written.
    ///
    /// With a port, nil stands for TCP; with a named port of an ``AdminPolicy`` for any protocol.
    public var proto: IPProtocol?
    /// The port; nil for every port of the protocol, and with no protocol either for everything.
    public var port: PortMatch?

    /// Takes all members.
    public init(proto: IPProtocol?, port: PortMatch?) {
        self.proto = proto
        self.port = port
    }
}

/// The action of a staged policy (`spec.stagedAction`).
public enum StagedAction: String, Sendable, Hashable {
    /// The policy would be put in force, in place of the enforced one of the same name if there is one.
    case set = "Set"
    /// The enforced policy of the same name would be removed.
    case delete = "Delete"
    /// The policy is there to be learned from.
    case learn = "Learn"
    /// The policy is left alone.
    case ignore = "Ignore"
}
