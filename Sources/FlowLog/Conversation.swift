import FlowModel

/// What a flow's birth says of who talks to whom, without the interface: all that is needed to report it, now or later.
struct Conversation {
    /// Address of the near end.
    let near: IPAddress
    /// Address of the far end.
    let far: IPAddress
    /// Port of the near end; for ICMP the identifier.
    let nearPort: UInt16
    /// Port of the far end; for ICMP type and code.
    let farPort: UInt16
    /// The protocol above IP.
    let proto: IPProtocol
    /// The end that began.
    let initiator: InterfaceEnd

    /// Takes from a birth what does not change any more.
    init(_ birth: FlowBirth) {
        near = birth.key.near
        far = birth.key.far
        nearPort = birth.key.nearPort
        farPort = birth.key.farPort
        proto = birth.key.proto
        initiator = birth.initiator
    }

    /// The address of an end.
    func address(of end: InterfaceEnd) -> IPAddress {
        end == .near ? near : far
    }

    /// The port of an end.
    func port(of end: InterfaceEnd) -> UInt16 {
        end == .near ? nearPort : farPort
    }
}
