/// TCP flags (RFC 9293, section 3.1; RFC 3168, section 23.2).
public struct TCPFlags: OptionSet, Hashable, Sendable {
    /// The bits as in the TCP header.
    public var rawValue: UInt8

    /// Takes the bits as in the TCP header.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Takes the flags that were seen in either direction.
    public init(_ marks: FlowMarks) {
        self.init(rawValue: UInt8(truncatingIfNeeded: marks.rawValue | marks.rawValue >> 8))
    }

    /// Takes the flags of a flow that begins; empty for other protocols.
    package init(_ birth: FlowBirth) {
        if birth.key.proto == .tcp { self.init(birth.marks) } else { self.init() }
    }

    /// The names, from the lowest bit on.
    package static let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]

    /// The names of the set flags, from the lowest bit on.
    public var texts: [String] { Self.names.indices.filter { rawValue & 1 << $0 != 0 }.map { Self.names[$0] } }
}

/// The TCP flags of a flow that has more flags than before.
public struct FlowFlags: Sendable, Equatable {
    /// The datapath's identifier of the flow: small and dense.
    public var flowID: UInt32
    /// All flags so far, of both directions.
    public var flags: TCPFlags

    /// Takes all members.
    public init(flowID: UInt32, flags: TCPFlags) {
        self.flowID = flowID
        self.flags = flags
    }
}

/// An answered DNS query, and the flow of its packets.
public struct FlowLookup: Sendable, Equatable {
    /// The datapath's identifier of the flow, which may not have begun yet.
    public var flowID: UInt32
    /// Whether the client is the near end.
    public var isNear: Bool
    /// The source port of the query.
    public var clientPort: UInt16
    /// The time between query and response, microseconds; at least 1.
    public var latency: UInt32

    /// Takes all members.
    public init(flowID: UInt32, isNear: Bool, clientPort: UInt16, latency: UInt32) {
        self.flowID = flowID
        self.isNear = isNear
        self.clientPort = clientPort
        self.latency = latency
    }
}
