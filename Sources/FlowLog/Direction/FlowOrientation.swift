import FlowModel

/// An end of a flow as an interface names the two (``FlowKey``).
enum InterfaceEnd: UInt8 {
    /// The end on the wire side of the interface.
    case near
    /// The end behind the node's network stack.
    case far

    /// Creates the end that sent a packet which entered or left the node.
    init(senderOfEgress egress: Bool) {
        self = egress ? .far : .near
    }

    /// The other end.
    var other: InterfaceEnd {
        self == .near ? .far : .near
    }
}

// MARK: - Which end is local

extension Conversation {
    /// Returns the end that this node reports for, or nil if it is neither.
    ///
    /// A workload is behind its interface, whatever its address. On an interface of the host an end is local if the address is
    /// the host's own; where both are, the far end is: it is the one behind the stack. Else the near end is local if it is a
    /// workload of this host and belongs behind the interface, which is then a bridge whose ports are not known as workloads';
    /// where the kernel does not show what is behind it, the workload's name decides.
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

// MARK: - Which end began

extension FlowBirth {
    /// The initiator of the connection, as far as its packets show: the sender of an opening, else the receiver of the answer
    /// to one, else the sender of the first packet.
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

/// The uncertainties of a flow's beginning.
struct FlowOrigin: OptionSet, Hashable {
    let rawValue: UInt8
    /// The initiator is a guess.
    static let guessed = FlowOrigin(rawValue: 1)
    /// The flow was running before Weir watched it: what let it begin may not hold any more.
    static let unwatched = FlowOrigin(rawValue: 2)
    /// The flow continues a connection whose earlier flow has ended, and is not a new connection.
    static let resumed = FlowOrigin(rawValue: 4)
    /// The flow answers packets that another endpoint has sent under the address of the end that receives it.
    static let unsolicited = FlowOrigin(rawValue: 8)
}

// MARK: - Ports

extension IPProtocol {
    /// Whether the two numbers of a key belong to the conversation and not to its ends: ICMP's identifier, and type and code.
    var isICMP: Bool {
        self == .icmp || self == .icmp6
    }
}
