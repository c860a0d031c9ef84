import CWeir

/// The meaning of a drop reason: the table of the kernel's reasons, by name.
///
/// Names are those of include/net/dropreason-core.h, without their prefix. A name that is not in the table, of a newer
/// kernel, is a failure.
enum DropTreatment: Sendable, Hashable {
    /// Nothing was lost, or nothing that belongs to a flow.
    case ignored
    /// The reason is not specific; the place in the kernel may be (``DropPlaces``).
    case byPlace
    /// A failure, not a decision of a policy or program.
    case failure
    /// Failure before the ingress program has counted the packet.
    case earlyFailure
    /// A decision that the packet must be dropped.
    case decision
    /// A decision before the ingress program has counted the packet.
    case earlyDecision
    /// A decision of a program on the egress of an interface, where the egress program may have counted the packet.
    case egressDecision
    /// A decision of the socket that was to receive the packet.
    case socketDecision

    /// The treatment of a reason.
    init(of name: String) {
        self = Self.table[name] ?? .failure
    }

    /// Whether the flow is denied.
    var isDecision: Bool {
        switch self {
        case .ignored, .byPlace, .failure, .earlyFailure: false
        case .decision, .earlyDecision, .egressDecision, .socketDecision: true
        }
    }

    /// The treatment as the program reads it (`WEIR_DROP_*`).
    var bits: UInt8 {
        let bits: Int32 =
            switch self {
            case .ignored: WEIR_DROP_IGNORED
            case .byPlace: WEIR_DROP_BY_PLACE
            case .failure: WEIR_DROP_TROUBLE
            case .earlyFailure: WEIR_DROP_TROUBLE | WEIR_DROP_BEFORE_INGRESS
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
        // A protocol that this kernel does not implement, so not IP; older kernels have the second name.
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

        // MARK: Failure: no receiver

        // No socket listens: a closed port.
        "NO_SOCKET": .failure,
        // The socket was closed meanwhile.
        "SOCKET_CLOSE": .failure,
        "TCP_CLOSE": .failure,
        // Closed with unread data (TCP_ABORT_ON_DATA of the MIB).
        "TCP_ABORT_ON_DATA": .failure,
        // There is no such transport protocol here.
        "IP_NOPROTO": .failure,
        // Not to be handled there (netfilter, OVS).
        "INVALID_PROTO": .failure,

        // MARK: Failure: no room

        // The socket's receive buffer is full.
        "SOCKET_RCVBUFF": .failure,
        // The socket's backlog is full.
        "SOCKET_BACKLOG": .failure,
        // The protocol's memory is used up.
        "PROTO_MEM": .failure,
        // No memory.
        "NOMEM": .failure,
        // Memory reserves are not for this packet.
        "PFMEMALLOC": .failure,
        // The accept queue is full.
        "TCP_LISTEN_OVERFLOW": .failure,
        // The receiver closed its window.
        "TCP_ZEROWINDOW": .failure,
        // Out-of-order segments, dropped for lack of room.
        "TCP_OFO_QUEUE_PRUNE": .failure,
        "TCP_OFO_DROP": .failure,
        // The CPU's input queue is full: before the interface's ingress.
        "CPU_BACKLOG": .earlyFailure,
        // The ring to a virtual machine or a tun reader is full.
        "FULL_RING": .failure,
        // A queueing discipline is full, or sheds load.
        "QDISC_DROP": .failure,
        "QDISC_OVERLIMIT": .failure,
        "QDISC_CONGESTED": .failure,
        "CAKE_FLOOD": .failure,
        "FQ_BAND_LIMIT": .failure,
        "FQ_HORIZON_LIMIT": .failure,
        "FQ_FLOW_LIMIT": .failure,
        "DUALPI2_STEP_DROP": .failure,
        // The queue of packets that wait for a neighbour's address is full.
        "NEIGH_QUEUEFULL": .failure,

        // MARK: Failure: no way

        // No route out or in; blackhole and prohibit routes have the same reason.
        "IP_OUTNOROUTES": .failure,
        "IP_INNOROUTES": .failure,
        // No entry for a neighbour, no answer from it, or it is gone.
        "NEIGH_CREATEFAIL": .failure,
        "NEIGH_FAILED": .failure,
        "NEIGH_DEAD": .failure,
        "NEIGH_HH_FILLFAIL": .failure,
        // IPv6 is switched off there.
        "IPV6DISABLED": .failure,
        // The device is down.
        "DEV_READY": .failure,
        // A bridge or bond has no port for it.
        "NO_TX_TARGET": .failure,
        // A bridge port that does not forward yet.
        "BRIDGE_INGRESS_STP_STATE": .failure,
        // Larger than the path takes.
        "PKT_TOO_BIG": .failure,
        // Too many devices on top of each other.
        "RECURSION_LIMIT": .failure,
        // Traffic control leads nowhere, or in circles.
        "TC_COOKIE_ERROR": .failure,
        "TC_CHAIN_NOTFOUND": .failure,
        "TC_RECLASSIFY_LOOP": .failure,
        // A steering filter of a virtual machine; the packet has left by then.
        "TAP_FILTER": .failure,

        // MARK: Failure: the packet is wrong

        // Shorter than its headers, or its headers are not there.
        "PKT_TOO_SMALL": .failure,
        "HDR_TRUNC": .failure,
        "DEV_HDR": .failure,
        "IP_INHDR": .failure,
        "IPV6_BAD_EXTHDR": .failure,
        // Checksums.
        "TCP_CSUM": .failure,
        "UDP_CSUM": .failure,
        "IP_CSUM": .failure,
        "ICMP_CSUM": .failure,
        "SKB_CSUM": .failure,
        // Cannot be cut into segments, or not be copied.
        "SKB_GSO_SEG": .failure,
        "SKB_UCOPY_FAULT": .failure,
        // Invalid addresses: martians.
        "IP_INADDRERRORS": .failure,
        "IP_LOCAL_SOURCE": .failure,
        "IP_INVALID_SOURCE": .failure,
        "IP_LOCALNET": .failure,
        "IP_INVALID_DEST": .failure,
        "MAC_INVALID_SOURCE": .failure,
        // The frame has the device's own address as source.
        "LOCAL_MAC": .failure,
        // A unicast packet in a multicast frame.
        "UNICAST_IN_L2_MULTICAST": .failure,
        // Fragments that come twice, too late, or are too far apart.
        "DUP_FRAG": .failure,
        "FRAG_REASM_TIMEOUT": .failure,
        "FRAG_TOO_FAR": .failure,
        // Neighbour discovery that breaks its rules.
        "IPV6_NDISC_FRAG": .failure,
        "IPV6_NDISC_HOP_LIMIT": .failure,
        "IPV6_NDISC_BAD_CODE": .failure,
        "IPV6_NDISC_BAD_OPTIONS": .failure,
        // Tunnels: no such network, wrong header, impossible congestion mark, no destination.
        "VXLAN_INVALID_HDR": .failure,
        "VXLAN_VNI_NOT_FOUND": .failure,
        "VXLAN_ENTRY_EXISTS": .failure,
        "IP_TUNNEL_ECN": .failure,
        "TUNNEL_TXINFO": .failure,

        // MARK: Failure: TCP

        // Signatures that are missing, not expected, or wrong: two ends that are configured differently.
        "TCP_AUTH_HDR": .failure,
        "TCP_MD5NOTFOUND": .failure,
        "TCP_MD5UNEXPECTED": .failure,
        "TCP_MD5FAILURE": .failure,
        "TCP_AONOTFOUND": .failure,
        "TCP_AOUNEXPECTED": .failure,
        "TCP_AOKEYNOTFOUND": .failure,
        "TCP_AOFAILURE": .failure,
        // Flags that do not go together, or not with the state.
        "TCP_FLAGS": .failure,
        "TCP_INVALID_SYN": .failure,
        "TCP_FASTOPEN": .failure,
        // Segments and acknowledgements that are old, ahead, or of another connection.
        "TCP_OVERWINDOW": .failure,
        "TCP_RFC7323_PAWS": .failure,
        "TCP_RFC7323_PAWS_ACK": .failure,
        "TCP_RFC7323_TW_PAWS": .failure,
        "TCP_RFC7323_TSECR": .failure,
        "TCP_INVALID_SEQUENCE": .failure,
        "TCP_INVALID_END_SEQUENCE": .failure,
        "TCP_INVALID_ACK_SEQUENCE": .failure,
        "TCP_OLD_ACK": .failure,
        "TCP_TOO_OLD_ACK": .failure,
        "TCP_ACK_UNSENT_DATA": .failure,
    ]
}
