import FlowModel

/// One of the two ends of a flow as an interface names them (``FlowKey``).
enum InterfaceEnd: UInt8 {
    /// The end on the wire side of the interface.
    case near
    /// The end behind the node's network stack.
    case far

    /// The end that sent a packet which entered or left the node.
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
    /// The end that this node reports for, or nil if it is neither.
    ///
    /// A workload is behind its interface, whatever its address. On an interface of the host an end is local if the
    /// address is the host's own; where both are, the far end is: it is the one behind the stack. Else the near end is
    /// if it is a workload of this host: the interface is then a bridge whose ports are not known as workloads'.
    func localEnd(by resolver: any EndpointResolver) -> InterfaceEnd? {
        if role == .workload { return .near }
        if resolver.isOwn(far) { return .far }
        return resolver.isOwn(near) || resolver.isLocalWorkload(near) ? .near : nil
    }
}

// MARK: - Which end began

extension FlowBirth {
    /// The end that began the connection, as far as its first packets tell.
    ///
    /// An opening says it best, then the answer to one. Of a connection that was already running, the lower port is
    /// taken for the service. Else it was the end that spoke first.
    var initiator: InterfaceEnd {
        if let opener = sender(ofIngress: .openedIngress, ofEgress: .openedEgress) { return opener }
        if marks.isSuperset(of: [.openedIngress, .openedEgress]) { return firstSpeaker }
        if let acceptor = sender(ofIngress: .acceptedIngress, ofEgress: .acceptedEgress) { return acceptor.other }
        if joined, key.proto.hasPorts, key.nearPort != key.farPort {
            return key.nearPort > key.farPort ? .near : .far
        }
        return firstSpeaker
    }

    private var firstSpeaker: InterfaceEnd {
        InterfaceEnd(senderOfEgress: marks.contains(.firstEgress))
    }

    /// Who sent a kind of packet, if it was seen in one direction only.
    private func sender(ofIngress ingress: FlowMarks, ofEgress egress: FlowMarks) -> InterfaceEnd? {
        let isEgress = marks.contains(egress)
        guard isEgress != marks.contains(ingress) else { return nil }
        return InterfaceEnd(senderOfEgress: isEgress)
    }
}

// MARK: - Ports

extension IPProtocol {
    /// Whether the two numbers of a key belong to the conversation and not to its ends: ICMP's identifier, and type and
    /// code.
    var isICMP: Bool {
        self == .icmp || self == .icmp6
    }
}
