/// Flags of TCP (RFC 9293, section 3.1; RFC 3168, section 23.2).
public struct TCPFlags: OptionSet, Hashable, Sendable {
    /// The bits as the header has them.
    public var rawValue: UInt8

    /// Takes the bits as the header has them.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Takes the flags that were seen in either direction.
    public init(_ marks: FlowMarks) {
        self.init(rawValue: UInt8(truncatingIfNeeded: marks.rawValue | marks.rawValue >> 8))
    }

    /// Takes the flags that were seen of a flow that begins; empty for other protocols.
    package init(_ birth: FlowBirth) {
        if birth.key.proto == .tcp { self.init(birth.marks) } else { self.init() }
    }

    /// The names, from the lowest bit on.
    package static let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]

    /// The names of those that are set, from the lowest bit on.
    public var texts: [String] { Self.names.indices.filter { rawValue & 1 << $0 != 0 }.map { Self.names[$0] } }
}

/// The flags of TCP of a flow that has more of them than before.
public struct FlowFlags: Sendable, Equatable {
    /// The datapath's identifier of the flow: small and dense.
    public var flowID: UInt32
    /// All flags so far, of either direction.
    public var flags: TCPFlags

    /// Takes all members.
    public init(flowID: UInt32, flags: TCPFlags) {
        self.flowID = flowID
        self.flags = flags
    }
}

/// An answered DNS question, and the flow that its packets are in.
public struct FlowLookup: Sendable, Equatable {
    /// The datapath's identifier of the flow, which may be about to begin.
    public var flowID: UInt32
    /// Whether the client is the near end.
    public var isNear: Bool
    /// The port that the client asked from.
    public var clientPort: UInt16
    /// The time between question and answer, microseconds; at least 1.
    public var latency: UInt32

    /// Takes all members.
    public init(flowID: UInt32, isNear: Bool, clientPort: UInt16, latency: UInt32) {
        self.flowID = flowID
        self.isNear = isNear
        self.clientPort = clientPort
        self.latency = latency
    }
}
