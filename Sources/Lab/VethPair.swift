/// An end of a ``VethPair``: an interface and its properties.
package struct VethEnd: Sendable {
    /// The namespace of the interface.
    package let namespace: NetworkNamespace
    /// The interface's name, at most 15 bytes.
    package let interface: String
    /// The addresses with prefix lengths, such as `10.1.0.1/24`.
    package let addresses: [String]
    /// The interface's Ethernet address; nil for the default.
    package let hardwareAddress: String?

    /// Takes all members.
    package init(
        _ namespace: NetworkNamespace,
        interface: String = "eth0",
        addresses: [String] = [],
        hardwareAddress: String? = nil
    ) {
        self.namespace = namespace
        self.interface = interface
        self.addresses = addresses
        self.hardwareAddress = hardwareAddress
    }

    /// The addresses without prefix lengths.
    var plainAddresses: [Substring] {
        addresses.map { $0.prefix { $0 != "/" } }
    }
}

/// A veth pair between two namespaces.
///
/// The ends have each other's addresses as permanent neighbours (no ARP, no neighbour discovery, no multicast), so the pair
/// carries only generated packets. It is removed when either namespace ends.
package struct VethPair: Sendable {
    /// The first end.
    package let left: VethEnd
    /// The second end.
    package let right: VethEnd

    /// Creates the pair and configures both ends.
    ///
    /// - Parameters:
    ///   - left: the first end.
    ///   - right: the second end.
    ///   - mtu: the maximum size of an IP packet, in bytes.
    /// - Throws: ``LabError`` if the kernel or `ip` fails.
    package init(_ left: VethEnd, _ right: VethEnd, mtu: Int = 1500) throws(LabError) {
        self.left = VethEnd(
            left.namespace,
            interface: left.interface,
            addresses: left.addresses,
            hardwareAddress: left.hardwareAddress ?? "02:00:00:00:00:01"
        )
        self.right = VethEnd(
            right.namespace,
            interface: right.interface,
            addresses: right.addresses,
            hardwareAddress: right.hardwareAddress ?? "02:00:00:00:00:02"
        )
        try left.namespace.ip(batch: [creation(mtu)] + Self.configuration(of: self.left, facing: self.right))
        try right.namespace.ip(batch: Self.configuration(of: self.right, facing: self.left))
        try waitUntilReady()
    }

    private func waitUntilReady() throws(LabError) {
        for end in [left, right] {
            try end.namespace.waitUntilReady([end.interface], end.plainAddresses.map(String.init))
        }
    }

    /// The `ip` command that creates both interfaces, in the left namespace.
    private func creation(_ mtu: Int) -> String {
        "link add name \(left.interface) mtu \(mtu) address \(left.hardwareAddress ?? "") type veth "
            + "peer name \(right.interface) mtu \(mtu) address \(right.hardwareAddress ?? "") "
            + "netns \(right.namespace.path)"
    }

    /// The `ip` commands that configure one end.
    private static func configuration(of end: VethEnd, facing peer: VethEnd) -> [String] {
        ["link set dev \(end.interface) multicast off arp off up"]
            + end.addresses.map { "address add \($0) dev \(end.interface)" + ($0.contains(":") ? " nodad" : "") }
            + peer.plainAddresses.map {
                "neighbour replace \($0) dev \(end.interface) lladdr \(peer.hardwareAddress ?? "") nud permanent"
            }
    }
}

// MARK: VLANs

/// A VLAN tag.
package struct VLANTag: Hashable, Sendable {
    /// The EtherType of a tag.
    package enum Kind: UInt16, Sendable {
        /// The customer tag, IEEE 802.1Q.
        case customer = 0x8100
        /// The service tag, IEEE 802.1ad: the outer one of QinQ.
        case service = 0x88a8
    }

    /// The EtherType of the tag.
    package let kind: Kind
    /// The VLAN's number, 0 to 4095; interfaces take 1 to 4094.
    package let number: UInt16

    /// Takes all members.
    package init(_ number: UInt16, _ kind: Kind = .customer) {
        self.kind = kind
        self.number = number
    }

    /// The protocol name in `ip` commands.
    var name: String { kind == .customer ? "802.1Q" : "802.1ad" }
}

extension VethPair {
    /// Adds a VLAN interface to both ends, and returns the pair of them; may be repeated on that pair for QinQ.
    ///
    /// The interfaces are named after their parents: `eth0.5`.
    ///
    /// - Throws: ``LabError/command(line:status:output:)`` with `Unknown device type` if the kernel has no VLANs
    ///   (CONFIG_VLAN_8021Q).
    package func tagged(_ tag: VLANTag, left: [String], right: [String]) throws(LabError) -> VethPair {
        let pair = VethPair(left: Self.upper(self.left, tag, left), right: Self.upper(self.right, tag, right))
        for (end, peer, lower) in [(pair.left, pair.right, self.left), (pair.right, pair.left, self.right)] {
            let creation =
                "link add link \(lower.interface) name \(end.interface) type vlan proto \(tag.name) id \(tag.number)"
            try end.namespace.ip(batch: [creation] + Self.configuration(of: end, facing: peer))
        }
        try pair.waitUntilReady()
        return pair
    }

    private init(left: VethEnd, right: VethEnd) {
        self.left = left
        self.right = right
    }

    private static func upper(_ end: VethEnd, _ tag: VLANTag, _ addresses: [String]) -> VethEnd {
        VethEnd(
            end.namespace,
            interface: "\(end.interface).\(tag.number)",
            addresses: addresses,
            hardwareAddress: end.hardwareAddress
        )
    }
}
