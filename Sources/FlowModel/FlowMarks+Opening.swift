extension FlowMarks {
    /// All marks that show the initiator: openings, and answers to them.
    public static let handshake: FlowMarks = [.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress]

    /// Whether the near end is the initiator, according to openings and answers to them; nil if these do not decide.
    ///
    /// An opening takes precedence over an answer. If both ends sent an opening, the first one counts; answers of both ends do
    /// not decide.
    public var nearOpened: Bool? {
        switch (contains(.openedIngress), contains(.openedEgress)) {
        case (true, false): return true
        case (false, true): return false
        case (true, true): return !contains(.firstEgress)
        case (false, false): break
        }
        let nearAccepted = contains(.acceptedIngress)
        return nearAccepted != contains(.acceptedEgress) ? !nearAccepted : nil
    }

    /// The mark of an opening by one of the ends.
    public static func opened(byNear: Bool) -> FlowMarks {
        byNear ? .openedIngress : .openedEgress
    }

    /// Whether the near end certainly sent a packet.
    public var hasEntered: Bool {
        !contains(.firstEgress) || contains(.openedIngress) || contains(.acceptedIngress)
    }
}

// MARK: - TCP

extension FlowMarks {
    /// TCP flags (RFC 9293, section 3.1).
    private static let (rst, ack): (UInt32, UInt32) = (0x04, 0x10)

    /// The TCP flags of all packets of the end that sent first, and of the other end; 0 for packets without visible flags.
    private var flags: (first: UInt32, other: UInt32) {
        let (near, far) = (rawValue & 0xff, rawValue >> 8 & 0xff)
        return contains(.firstEgress) ? (far, near) : (near, far)
    }

    /// Whether a TCP flow began with its first packet, although no flags of an opening were seen.
    ///
    /// This happens if the opening is fragmented, and its first fragment contains only the ports. Every packet of a running
    /// connection has the ACK flag (RFC 9293, section 3.10.7.4); a reset without ACK answers a packet with ACK.
    public var beganWithoutFlags: Bool { flags.first & (Self.rst | Self.ack) == 0 }

    /// Whether the first packet of a TCP flow was refused because it belongs to no connection.
    ///
    /// A reset with ACK answers a packet without ACK (RFC 9293, section 3.10.7.1).
    public var isRefused: Bool { beganWithoutFlags && flags.other == Self.rst | Self.ack }

    /// Whether the near end takes part in the connection: it opened the connection, answered, sent first, or sent a TCP ACK.
    ///
    /// An end that receives answers to packets that it did not send refuses them with a reset without ACK, or sends nothing.
    public func showsNear(of proto: IPProtocol) -> Bool {
        hasEntered || proto == .tcp && rawValue & Self.ack != 0
    }

    /// Whether the far end sent first, with an answer to an opening, and the near end takes no part.
    ///
    /// The answer is SYN with ACK, a reset with ACK, or an ICMP reply.
    public func isLoneAnswer(of proto: IPProtocol) -> Bool {
        guard contains(.firstEgress), !showsNear(of: proto), !contains(.openedEgress) else { return false }
        return contains(.acceptedEgress) || proto == .tcp && flags.first == Self.rst | Self.ack
    }
}
