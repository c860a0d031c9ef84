import CWeir

/// The meaning of a drop reason: the table of the kernel's reasons, by name.
///
/// Names are those of include/net/dropreason-core.h, without their prefix. A name that is not in the table, of a newer
/// kernel, is trouble.
enum DropTreatment: Sendable, Hashable {
    /// Nothing was lost, or nothing that is a flow's.
    case ignored
    /// The reason is not specific; the place in the kernel may be (``DropPlaces``).
    case byPlace
    /// Nobody decided it.
    case trouble
    /// Trouble before the ingress program has counted the packet.
    case earlyTrouble
    /// Somebody decided that the packet must not go on.
    case decision
    /// A decision before the ingress program has counted the packet.
    case earlyDecision
    /// A decision of a program on the egress of an interface, where the egress program may have counted the packet.
    case egressDecision
    /// A decision of the socket that was to have the packet.
    case socketDecision

    /// The treatment of a reason.
    init(of name: String) {
        self = Self.table[name] ?? .trouble
    }

    /// Whether the flow is denied.
    var isDecision: Bool {
        switch self {
        case .ignored, .byPlace, .trouble, .earlyTrouble: false
        case .decision, .earlyDecision, .egressDecision, .socketDecision: true
        }
    }

    /// What the program gets (`WEIR_DROP_*`).
    var bits: UInt8 {
        let bits: Int32 =
            switch self {
            case .ignored: WEIR_DROP_IGNORED
            case .byPlace: WEIR_DROP_BY_PLACE
            case .trouble: WEIR_DROP_TROUBLE
            case .earlyTrouble: WEIR_DROP_TROUBLE | WEIR_DROP_BEFORE_INGRESS
            case .decision: WEIR_DROP_DECISION
            case .earlyDecision: WEIR_DROP_DECISION | WEIR_DROP_BEFORE_INGRESS
            case .egressDecision: WEIR_DROP_DECISION | WEIR_DROP_ON_EGRESS
            case .socketDecision: WEIR_DROP_DECISION | WEIR_DROP_AT_SOCKET
            }
        return UInt8(bits)
    }

    private static let table: [String: DropTreatment] = [
        // MARK: Decisions

        // A rule of nftables, iptables or another netfilter hook; `reject` too.
        "NETFILTER_DROP": .decision,
        // A classifier or program on a clsact or ingress qdisc, or TCX, behind Weir's own.
        "TC_INGRESS": .decision,
        // The same on the way out, before or behind Weir's own.
        "TC_EGRESS": .egressDecision,
        // A generic XDP program, or that of a veth device. Another driver's XDP program frees no skb: it is not seen.
        "XDP": .earlyDecision,
        // A program on the egress of the sender's cgroup.
        "BPF_CGROUP_EGRESS": .decision,
        // A filter of the socket, a program on the ingress of its cgroup, or a security module.
        "SOCKET_FILTER": .socketDecision,
        // A security module (netlabel, SELinux).
        "SECURITY_HOOK": .decision,
        // The reverse path filter: the administrator refuses packets from interfaces without a route back.
        "IP_RPFILTER": .decision,
        // An IPsec policy requires protection of the packet, or blocks it.
        "XFRM_POLICY": .decision,
        // The socket requires protection by PSP.
        "PSP_INPUT": .decision,
        // The same on the way out.
        "PSP_OUTPUT": .decision,
        // The socket accepts neighbours only (IP_MINTTL, RFC 5082).
        "TCP_MINTTL": .decision,

        // MARK: Nothing lost

        // Not a drop; not a reason.
        "NOT_DROPPED_YET": .ignored,
        "MAX": .ignored,
        // The end of a packet that was used.
        "CONSUMED": .ignored,
        // All places without a reason: neighbour discovery and multicast, continuously, and much that is not a drop.
        "NOT_SPECIFIED": .byPlace,
        // A frame for another host, seen in promiscuous mode.
        "OTHERHOST": .ignored,
        // The same for a neighbour solicitation.
        "IPV6_NDISC_NS_OTHERHOST": .ignored,
        // A capture's copy.
        "PACKET_SOCK_ERROR": .ignored,
        // Left unread in a socket or a queue that was closed: it had arrived.
        "QUEUE_PURGE": .ignored,
        // A reset that did its work.
        "TCP_RESET": .ignored,
        // Data that is there already, in another segment; keep-alive probes, which are answered.
        "TCP_OFOMERGE": .ignored,
        "TCP_OLD_DATA": .ignored,
        "TCP_OLD_SEQUENCE": .ignored,
        // A virtual machine's own filter of hardware addresses.
        "TAP_TXFILTER": .ignored,
        // No protocol of this kernel, so not IP; older kernels have the second name.
        "UNHANDLED_PROTO": .ignored,
        "PTYPE_ABSENT": .ignored,
        // Not IP: Unix sockets, Ethernet pause frames, ARP between private VLANs, CAN.
        "UNIX_DISCONNECT": .ignored,
        "UNIX_SKIP_OOB": .ignored,
        "MAC_IEEE_MAC_CONTROL": .ignored,
        "ARP_PVLAN_DISABLE": .ignored,
        "CAN_RX_INVALID_FRAME": .ignored,
        "CANFD_RX_INVALID_FRAME": .ignored,
        "CANXL_RX_INVALID_FRAME": .ignored,

        // MARK: Trouble: nobody takes it

        // No socket listens: a closed port.
        "NO_SOCKET": .trouble,
        // The socket was closed meanwhile.
        "SOCKET_CLOSE": .trouble,
        "TCP_CLOSE": .trouble,
        // Closed with unread data (TCP_ABORT_ON_DATA of the MIB).
        "TCP_ABORT_ON_DATA": .trouble,
        // No such transport protocol here.
        "IP_NOPROTO": .trouble,
        // Not to be handled there (netfilter, OVS).
        "INVALID_PROTO": .trouble,

        // MARK: Trouble: no room

        // The socket's receive buffer is full.
        "SOCKET_RCVBUFF": .trouble,
        // The socket's backlog is full.
        "SOCKET_BACKLOG": .trouble,
        // The protocol's memory is used up.
        "PROTO_MEM": .trouble,
        // No memory.
        "NOMEM": .trouble,
        // Memory reserves are not for this packet.
        "PFMEMALLOC": .trouble,
        // The accept queue is full.
        "TCP_LISTEN_OVERFLOW": .trouble,
        // The receiver closed its window.
        "TCP_ZEROWINDOW": .trouble,
        // Out-of-order segments, dropped for lack of room.
        "TCP_OFO_QUEUE_PRUNE": .trouble,
        "TCP_OFO_DROP": .trouble,
        // The CPU's input queue is full: before the interface's ingress.
        "CPU_BACKLOG": .earlyTrouble,
        // The ring to a virtual machine or a tun reader is full.
        "FULL_RING": .trouble,
        // A queueing discipline is full, or sheds load.
        "QDISC_DROP": .trouble,
        "QDISC_OVERLIMIT": .trouble,
        "QDISC_CONGESTED": .trouble,
        "CAKE_FLOOD": .trouble,
        "FQ_BAND_LIMIT": .trouble,
        "FQ_HORIZON_LIMIT": .trouble,
        "FQ_FLOW_LIMIT": .trouble,
        "DUALPI2_STEP_DROP": .trouble,
        // The queue of packets that wait for a neighbour's address is full.
        "NEIGH_QUEUEFULL": .trouble,

        // MARK: Trouble: no way

        // No route out or in; blackhole and prohibit routes have the same reason.
        "IP_OUTNOROUTES": .trouble,
        "IP_INNOROUTES": .trouble,
        // No entry for a neighbour, no answer from it, or it is gone.
        "NEIGH_CREATEFAIL": .trouble,
        "NEIGH_FAILED": .trouble,
        "NEIGH_DEAD": .trouble,
        "NEIGH_HH_FILLFAIL": .trouble,
        // IPv6 is switched off there.
        "IPV6DISABLED": .trouble,
        // The device is down.
        "DEV_READY": .trouble,
        // A bridge or bond has no port for it.
        "NO_TX_TARGET": .trouble,
        // A bridge port that does not forward yet.
        "BRIDGE_INGRESS_STP_STATE": .trouble,
        // Larger than the path takes.
        "PKT_TOO_BIG": .trouble,
        // Too many devices on top of each other.
        "RECURSION_LIMIT": .trouble,
        // Traffic control leads nowhere, or in circles.
        "TC_COOKIE_ERROR": .trouble,
        "TC_CHAIN_NOTFOUND": .trouble,
        "TC_RECLASSIFY_LOOP": .trouble,
        // A steering filter of a virtual machine; the packet has left by then.
        "TAP_FILTER": .trouble,

        // MARK: Trouble: the packet is wrong

        // Shorter than its headers, or its headers are not there.
        "PKT_TOO_SMALL": .trouble,
        "HDR_TRUNC": .trouble,
        "DEV_HDR": .trouble,
        "IP_INHDR": .trouble,
        "IPV6_BAD_EXTHDR": .trouble,
        // Checksums.
        "TCP_CSUM": .trouble,
        "UDP_CSUM": .trouble,
        "IP_CSUM": .trouble,
        "ICMP_CSUM": .trouble,
        "SKB_CSUM": .trouble,
        // Cannot be cut into segments, or not be copied.
        "SKB_GSO_SEG": .trouble,
        "SKB_UCOPY_FAULT": .trouble,
        // Addresses that cannot be: martians.
        "IP_INADDRERRORS": .trouble,
        "IP_LOCAL_SOURCE": .trouble,
        "IP_INVALID_SOURCE": .trouble,
        "IP_LOCALNET": .trouble,
        "IP_INVALID_DEST": .trouble,
        "MAC_INVALID_SOURCE": .trouble,
        // The frame has the device's own address as source.
        "LOCAL_MAC": .trouble,
        // A unicast packet in a multicast frame.
        "UNICAST_IN_L2_MULTICAST": .trouble,
        // Fragments that come twice, too late, or lie too far apart.
        "DUP_FRAG": .trouble,
        "FRAG_REASM_TIMEOUT": .trouble,
        "FRAG_TOO_FAR": .trouble,
        // Neighbour discovery that breaks its rules.
        "IPV6_NDISC_FRAG": .trouble,
        "IPV6_NDISC_HOP_LIMIT": .trouble,
        "IPV6_NDISC_BAD_CODE": .trouble,
        "IPV6_NDISC_BAD_OPTIONS": .trouble,
        // Tunnels: no such network, wrong header, impossible congestion mark, no destination.
        "VXLAN_INVALID_HDR": .trouble,
        "VXLAN_VNI_NOT_FOUND": .trouble,
        "VXLAN_ENTRY_EXISTS": .trouble,
        "IP_TUNNEL_ECN": .trouble,
        "TUNNEL_TXINFO": .trouble,

        // MARK: Trouble: TCP

        // Signatures that are missing, not expected, or wrong: two ends that are configured differently.
        "TCP_AUTH_HDR": .trouble,
        "TCP_MD5NOTFOUND": .trouble,
        "TCP_MD5UNEXPECTED": .trouble,
        "TCP_MD5FAILURE": .trouble,
        "TCP_AONOTFOUND": .trouble,
        "TCP_AOUNEXPECTED": .trouble,
        "TCP_AOKEYNOTFOUND": .trouble,
        "TCP_AOFAILURE": .trouble,
        // Flags that do not go together, or not with the state.
        "TCP_FLAGS": .trouble,
        "TCP_INVALID_SYN": .trouble,
        "TCP_FASTOPEN": .trouble,
        // Segments and acknowledgements that are old, ahead, or of another connection.
        "TCP_OVERWINDOW": .trouble,
        "TCP_RFC7323_PAWS": .trouble,
        "TCP_RFC7323_PAWS_ACK": .trouble,
        "TCP_RFC7323_TW_PAWS": .trouble,
        "TCP_RFC7323_TSECR": .trouble,
        "TCP_INVALID_SEQUENCE": .trouble,
        "TCP_INVALID_END_SEQUENCE": .trouble,
        "TCP_INVALID_ACK_SEQUENCE": .trouble,
        "TCP_OLD_ACK": .trouble,
        "TCP_TOO_OLD_ACK": .trouble,
        "TCP_ACK_UNSENT_DATA": .trouble,
    ]
}
