import CWeir
import FlowModel

extension FlowKey {
    /// The key of a slot, in host terms.
    init(_ slot: weir_flow_slot, interfaceIndex: UInt32) {
        self.init(
            weir_flow_key(
                near_port: slot.near_port,
                far_port: slot.far_port,
                protocol: slot.protocol,
                state: slot.state & ~UInt8(WEIR_SLOT_RETIRED),
                interface: slot.interface,
                addr: slot.addr
            ),
            interfaceIndex: interfaceIndex
        )
    }

    /// Takes a key of the programs, in host terms.
    init(_ key: weir_flow_key, interfaceIndex: UInt32) {
        let isIPv4 = key.state == WEIR_SLOT_LIVE_V4.rawValue
        let ends = key.addr.1
        self.init(
            interfaceIndex: interfaceIndex,
            near: isIPv4
                ? IPAddress(ipv4: UInt32(bigEndian: UInt32(truncatingIfNeeded: ends)))
                : IPAddress(ipv6Word0: key.addr.0, word1: key.addr.1),
            far: isIPv4
                ? IPAddress(ipv4: UInt32(bigEndian: UInt32(truncatingIfNeeded: ends >> 32)))
                : IPAddress(ipv6Word0: key.addr.2, word1: key.addr.3),
            nearPort: UInt16(bigEndian: key.near_port),
            farPort: UInt16(bigEndian: key.far_port),
            proto: IPProtocol(rawValue: key.protocol)
        )
    }
}

extension FlowMarks {
    /// Reads the marks of a slot's flow.
    init(_ slot: weir_flow_slot) {
        self.init(rawValue: slot.marks & UInt32(WEIR_MARKS))
    }
}

extension weir_flow_slot {
    /// An end of a flow as reports of the programs contain it: the words of the address and the port, in network order.
    typealias End = (address: (UInt32, UInt32, UInt32, UInt32), port: UInt16)

    /// Creates a live slot with the key of a flow.
    ///
    /// - Parameters:
    ///   - near: the near end.
    ///   - far: the far end.
    ///   - ipv4: the addresses of an IPv4 flow; nil for an IPv6 flow, which has those of the ends.
    ///   - proto: the protocol above IP.
    ///   - position: the position of the interface.
    init(near: End, far: End, ipv4: (near: UInt32, far: UInt32)?, proto: IPProtocol, position: Int) {
        self.init()
        near_port = near.port
        far_port = far.port
        self.protocol = proto.rawValue
        interface = UInt16(position)
        if let ipv4 {
            state = UInt8(WEIR_SLOT_LIVE_V4.rawValue)
            addr.1 = UInt64(ipv4.near) | UInt64(ipv4.far) << 32
        } else {
            state = UInt8(WEIR_SLOT_LIVE_V6.rawValue)
            addr.0 = UInt64(near.address.0) | UInt64(near.address.1) << 32
            addr.1 = UInt64(near.address.2) | UInt64(near.address.3) << 32
            addr.2 = UInt64(far.address.0) | UInt64(far.address.1) << 32
            addr.3 = UInt64(far.address.2) | UInt64(far.address.3) << 32
        }
    }
}
