extension FlowMarks {
    /// All marks that show the initiator: openings, and answers to them.
    public static let handshake: FlowMarks = [.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress]

    /// Whether the near end began, according to openings and answers to them; nil if these do not decide.
    ///
    /// An opening outweighs an answer. If both ends sent an opening, the first one counts; answers from both ends do not
    /// decide.
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

    /// Whether a packet of the near end was certainly seen.
    public var hasEntered: Bool {
        !contains(.firstEgress) || contains(.openedIngress) || contains(.acceptedIngress)
    }
}

// MARK: - TCP

extension FlowMarks {
    /// Flags of TCP (RFC 9293, section 3.1).
    private static let (rst, ack): (UInt32, UInt32) = (0x04, 0x10)

    /// The flags of TCP in all packets of the end that spoke first, and of the other one; 0 for packets without visible flags.
    private var flags: (first: UInt32, other: UInt32) {
        let (near, far) = (rawValue & 0xff, rawValue >> 8 & 0xff)
        return contains(.firstEgress) ? (far, near) : (near, far)
    }

    /// Whether a flow of TCP began with its first packet, though no flags of an opening were seen.
    ///
    /// This happens if the opening is in fragments so small that the first one has the ports only.
    ///
    /// Every packet of a running connection has the flag ACK (RFC 9293, section 3.10.7.4); a reset without it answers one.
    public var beganWithoutFlags: Bool { flags.first & (Self.rst | Self.ack) == 0 }

    /// Whether the first packet of a flow of TCP was refused because it belongs to no connection: a reset with ACK answers a
    /// packet without ACK (RFC 9293, section 3.10.7.1).
    public var isRefused: Bool { beganWithoutFlags && flags.other == Self.rst | Self.ack }

    /// Whether the near end takes part in the connection: it opened it, answered, or spoke first; for TCP also if it sent an
    /// ACK.
    ///
    /// An end that receives answers to packets that it has not sent refuses them with a reset without ACK, or sends nothing.
    public func showsNear(of proto: IPProtocol) -> Bool {
        hasEntered || proto == .tcp && rawValue & Self.ack != 0
    }

    /// Whether the far end spoke first, with an answer to an opening, and the near end takes no part: SYN with ACK, a reset
    /// with ACK, or an ICMP reply.
    public func isLoneAnswer(of proto: IPProtocol) -> Bool {
        guard contains(.firstEgress), !showsNear(of: proto), !contains(.openedEgress) else { return false }
        return contains(.acceptedEgress) || proto == .tcp && flags.first == Self.rst | Self.ack
    }
}
