import CWeir
import FlowModel
import Glibc

/// Messages of ctnetlink: the request for one connection, and the kernel's answer.
///
/// Source: linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_conntrack.h.
enum ConntrackMessage {
    /// Writes the request for the connection whose packets have these addresses (IPCTNL_MSG_CT_GET).
    ///
    /// The kernel finds the connection by the tuple of either direction, whichever of the two attributes contains it.
    static func write(_ tuple: TrackedConnection.Tuple, into request: inout NetlinkWriter) {
        request.removeAll()
        append(tuple, to: &request)
    }

    /// Appends such a request to other requests.
    static func append(_ tuple: TrackedConnection.Tuple, to request: inout NetlinkWriter) {
        begin(IPCTNL_MSG_CT_GET, NLM_F_REQUEST, tuple, &request)
        append(tuple, as: CTA_TUPLE_ORIG, to: &request)
    }

    /// Begins a message about a connection.
    static func begin(
        _ message: cntl_msg_types,
        _ flags: Int32,
        _ tuple: TrackedConnection.Tuple,
        _ request: inout NetlinkWriter
    ) {
        request.beginNext(type: type(message), flags: flags)
        // struct nfgenmsg: family, version, resource (none).
        request.append(UInt8(tuple.source.isIPv4 ? AF_INET : AF_INET6))
        request.append(UInt8(NFNETLINK_V0))
        request.append(UInt16(0))
    }

    /// Writes one direction of a connection.
    static func append(
        _ tuple: TrackedConnection.Tuple,
        as attribute: ctattr_type,
        to request: inout NetlinkWriter
    ) {
        let isIPv4 = tuple.source.isIPv4
        request.nested(Int(attribute.rawValue)) { request in
            request.nested(Int(CTA_TUPLE_IP.rawValue)) { request in
                request.attribute(Int((isIPv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC).rawValue), tuple.source)
                request.attribute(Int((isIPv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST).rawValue), tuple.destination)
            }
            request.nested(Int(CTA_TUPLE_PROTO.rawValue)) { writeProtocol(tuple, into: &$0) }
        }
    }

    private static func writeProtocol(_ tuple: TrackedConnection.Tuple, into request: inout NetlinkWriter) {
        request.attribute(Int(CTA_PROTO_NUM.rawValue), tuple.proto.rawValue)
        let (type, code) = (UInt8(tuple.destinationPort >> 8), UInt8(tuple.destinationPort & 0xff))
        switch tuple.proto {
        case .icmp:
            request.attribute(Int(CTA_PROTO_ICMP_ID.rawValue), tuple.sourcePort.bigEndian)
            request.attribute(Int(CTA_PROTO_ICMP_TYPE.rawValue), type)
            request.attribute(Int(CTA_PROTO_ICMP_CODE.rawValue), code)
        case .icmp6:
            request.attribute(Int(CTA_PROTO_ICMPV6_ID.rawValue), tuple.sourcePort.bigEndian)
            request.attribute(Int(CTA_PROTO_ICMPV6_TYPE.rawValue), type)
            request.attribute(Int(CTA_PROTO_ICMPV6_CODE.rawValue), code)
        default:
            request.attribute(Int(CTA_PROTO_SRC_PORT.rawValue), tuple.sourcePort.bigEndian)
            request.attribute(Int(CTA_PROTO_DST_PORT.rawValue), tuple.destinationPort.bigEndian)
        }
    }

    /// Appends the request for a new connection that expires after an hour (IPCTNL_MSG_CT_NEW) to other requests.
    static func appendNew(_ connection: TrackedConnection, to request: inout NetlinkWriter) {
        begin(IPCTNL_MSG_CT_NEW, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, connection.original, &request)
        append(connection.original, as: CTA_TUPLE_ORIG, to: &request)
        append(connection.reply, as: CTA_TUPLE_REPLY, to: &request)
        request.attribute(Int(CTA_TIMEOUT.rawValue), UInt32(3600).bigEndian)
    }

    /// Reads a connection from an answer of the kernel (IPCTNL_MSG_CT_NEW).
    ///
    /// - Parameters:
    ///   - type: the type of the message.
    ///   - bytes: the datagram that it is in.
    ///   - body: the range after the header of the message.
    /// - Returns: nil if it is another message, or does not have both directions.
    static func read(type: UInt16, _ bytes: NetlinkBytes, _ body: Range<Int>) -> TrackedConnection? {
        guard type == Self.type(IPCTNL_MSG_CT_NEW), body.count >= MemoryLayout<nfgenmsg>.size else { return nil }
        return connection(bytes, body.dropFirst(MemoryLayout<nfgenmsg>.size))
    }

    /// Reads the attributes of a connection (`CTA_*`); nil if they do not have both directions.
    static func connection(_ bytes: NetlinkBytes, _ attributes: Range<Int>) -> TrackedConnection? {
        var original: TrackedConnection.Tuple?
        var reply: TrackedConnection.Tuple?
        for attribute in bytes.attributes(attributes) {
            switch UInt32(attribute.type) {
            case CTA_TUPLE_ORIG.rawValue: original = tuple(bytes, attribute.value)
            case CTA_TUPLE_REPLY.rawValue: reply = tuple(bytes, attribute.value)
            default: break
            }
        }
        guard let original, let reply else { return nil }
        return TrackedConnection(original: original, reply: reply)
    }

    private static func tuple(_ bytes: NetlinkBytes, _ range: Range<Int>) -> TrackedConnection.Tuple? {
        var ends: (source: IPAddress, destination: IPAddress)?
        var layer: (proto: IPProtocol, source: UInt16, destination: UInt16)?
        for attribute in bytes.attributes(range) {
            switch UInt32(attribute.type) {
            case CTA_TUPLE_IP.rawValue: ends = addresses(bytes, attribute.value)
            case CTA_TUPLE_PROTO.rawValue: layer = protocolPart(bytes, attribute.value)
            default: break
            }
        }
        guard let ends, let layer else { return nil }
        return TrackedConnection.Tuple(
            source: ends.source,
            destination: ends.destination,
            sourcePort: layer.source,
            destinationPort: layer.destination,
            proto: layer.proto
        )
    }

    private static func addresses(_ bytes: NetlinkBytes, _ range: Range<Int>) -> (IPAddress, IPAddress)? {
        var source: IPAddress?
        var destination: IPAddress?
        for attribute in bytes.attributes(range) {
            switch UInt32(attribute.type) {
            case CTA_IP_V4_SRC.rawValue, CTA_IP_V6_SRC.rawValue: source = bytes.address(attribute.value)
            case CTA_IP_V4_DST.rawValue, CTA_IP_V6_DST.rawValue: destination = bytes.address(attribute.value)
            default: break
            }
        }
        guard let source, let destination else { return nil }
        return (source, destination)
    }

    /// Protocol and ports; of ICMP the identifier, and type and code.
    private static func protocolPart(
        _ bytes: NetlinkBytes,
        _ range: Range<Int>
    ) -> (proto: IPProtocol, source: UInt16, destination: UInt16)? {
        var proto: IPProtocol?
        var (source, destination) = (UInt16(0), UInt16(0))
        func port(_ range: Range<Int>) -> UInt16 { UInt16(bigEndian: bytes.number(UInt16.self, range) ?? 0) }
        func byte(_ range: Range<Int>) -> UInt16 { UInt16(bytes.number(UInt8.self, range) ?? 0) }
        for attribute in bytes.attributes(range) {
            switch UInt32(attribute.type) {
            case CTA_PROTO_NUM.rawValue:
                proto = bytes.number(UInt8.self, attribute.value).map(IPProtocol.init(rawValue:))
            case CTA_PROTO_SRC_PORT.rawValue, CTA_PROTO_ICMP_ID.rawValue, CTA_PROTO_ICMPV6_ID.rawValue:
                source = port(attribute.value)
            case CTA_PROTO_DST_PORT.rawValue: destination = port(attribute.value)
            case CTA_PROTO_ICMP_TYPE.rawValue, CTA_PROTO_ICMPV6_TYPE.rawValue:
                destination |= byte(attribute.value) << 8
            case CTA_PROTO_ICMP_CODE.rawValue, CTA_PROTO_ICMPV6_CODE.rawValue:
                destination |= byte(attribute.value)
            default: break
            }
        }
        return proto.map { ($0, source, destination) }
    }

    private static func type(_ message: cntl_msg_types) -> UInt16 {
        UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(truncatingIfNeeded: message.rawValue)
    }
}

extension TrackedConnection.Tuple {
    /// Whether the tuple identifies the connection of such packets in connection tracking.
    var isTracked: Bool {
        guard source.isIPv4 == destination.isIPv4 else { return false }
        return proto.hasPorts || answeringType != nil
    }

    /// The packets of the other direction, if no address is translated (`nf_ct_invert_tuple`).
    var inverted: Self {
        var inverse = self
        (inverse.source, inverse.destination) = (destination, source)
        if let answeringType {
            inverse.destinationPort = UInt16(answeringType) << 8 | destinationPort & 0xff
        } else {
            (inverse.sourcePort, inverse.destinationPort) = (destinationPort, sourcePort)
        }
        return inverse
    }

    /// The packets of the same end with the other type of an ICMP exchange: the reply's for a query, the query's for a reply.
    var folded: Self? {
        guard let answeringType else { return nil }
        var folded = self
        folded.destinationPort = UInt16(answeringType) << 8 | destinationPort & 0xff
        return folded
    }

    /// The ICMP type of the replies to these queries, or of the queries of these replies; nil for other messages.
    private var answeringType: UInt8? {
        // ICMP: echo, timestamp, information, address mask (RFC 792, RFC 950). ICMPv6: echo, node information.
        let pairs: [(UInt8, UInt8)] =
            switch proto {
            case .icmp where source.isIPv4: [(8, 0), (13, 14), (15, 16), (17, 18)]
            case .icmp6 where !source.isIPv4: [(128, 129), (139, 140)]
            default: []
            }
        let type = UInt8(destinationPort >> 8)
        for (query, reply) in pairs {
            if type == query { return reply }
            if type == reply { return query }
        }
        return nil
    }
}
