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
