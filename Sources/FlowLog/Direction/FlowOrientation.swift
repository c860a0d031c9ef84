import FlowModel

/// An end of a flow, as an interface names the two ends (``FlowKey``).
enum InterfaceEnd: UInt8 {
    /// The end on the wire side of the interface.
    case near
    /// The end behind the node's network stack.
    case far

    /// Creates the end that sent a packet.
    ///
    /// - Parameter egress: whether the packet left the node through the interface.
    init(senderOfEgress egress: Bool) {
        self = egress ? .far : .near
    }

    /// The other end.
    var other: InterfaceEnd {
        self == .near ? .far : .near
    }
}

// MARK: - The local end

extension Conversation {
    /// Returns the end that this node reports for, or nil if neither is local.
    ///
    /// A workload is the near end of its interface, regardless of its address. On an interface of the host, an end is local if
    /// its address belongs to the host; if both do, the far end is the local one, because it is behind the host's network
    /// stack. Otherwise the near end is local if it is a workload of this host and belongs behind the interface. The interface
    /// is then a bridge whose ports are not known as workload interfaces. If the kernel does not show what is behind the
    /// interface, the workload's name decides.
    func localEnd(by resolver: any EndpointResolver) -> InterfaceEnd? {
        if role == .workload { return .near }
        if resolver.isOwn(far) { return .far }
        switch nearStanding {
        case .elsewhere: return nil
        case .notBehind: return resolver.isOwn(near) ? .near : nil
        case .behind, .unknown: return resolver.isOwn(near) || resolver.isLocalWorkload(near) ? .near : nil
        }
    }
}

// MARK: - The initiator

extension FlowBirth {
    /// The initiator of the connection, as far as its packets show it.
    ///
    /// This is the sender of an opening, else the receiver of the answer to one, else the sender of the first packet.
    var initiator: InterfaceEnd {
        if let nearOpened = marks.nearOpened { return nearOpened ? .near : .far }
        return InterfaceEnd(senderOfEgress: marks.contains(.firstEgress))
    }

    /// The uncertainties of the beginning.
    var origin: FlowOrigin {
        var origin: FlowOrigin = []
        if joined { origin.insert(.unwatched) }
        if resumed { origin.insert(.resumed) }
        if joined, marks.nearOpened == nil { origin.insert(.guessed) }
        return origin
    }
}

/// The uncertainties of how a flow began.
struct FlowOrigin: OptionSet, Hashable {
    let rawValue: UInt8
    /// The initiator is a guess.
    static let guessed = FlowOrigin(rawValue: 1)
    /// The flow began before Weir watched it; policies may have changed since.
    static let unwatched = FlowOrigin(rawValue: 2)
    /// The flow continues a connection whose earlier flow has ended; it is not a new connection.
    static let resumed = FlowOrigin(rawValue: 4)
    /// The flow answers packets that another endpoint sent with the address of the receiving end.
    static let unsolicited = FlowOrigin(rawValue: 8)
}

// MARK: - Ports

extension IPProtocol {
    /// Whether the two port fields of a key belong to the conversation and not to its ends: the identifier, and type and code.
    var isICMP: Bool {
        self == .icmp || self == .icmp6
    }
}
