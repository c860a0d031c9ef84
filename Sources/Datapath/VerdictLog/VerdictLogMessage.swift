import CWeir
import Glibc

/// The message of a logged packet (NFULNL_MSG_PACKET): the ranges of its parts in a datagram.
///
/// Source: linux/netfilter/nfnetlink_log.h.
struct VerdictLogMessage {
    /// Whether the packet is IPv4; else it is IPv6.
    var isIPv4: Bool
    /// The rule's log prefix, without the zero at its end.
    var prefix: Range<Int>
    /// The packet from its IP header on, cut at the limit of the rule or of ``VerdictLogSocket``.
    var payload: Range<Int>
    /// The attributes of its connection; nil if it has none, or the kernel does not report it.
    var connection: Range<Int>?

    /// The meaning of a message.
    enum Reading {
        /// A logged packet.
        case packet(VerdictLogMessage)
        /// A logged packet that is not IP, or that lacks what is needed.
        case unreadable
        /// Another message.
        case other
    }

    /// Reads a message.
    ///
    /// - Returns: the meaning, and the number that the kernel assigned to the packet (NFULA_SEQ), which counts the packets
    ///   logged to this group from 0; nil if it assigned none.
    static func read(_ message: NetlinkBytes.Message, _ bytes: NetlinkBytes) -> (Reading, sequence: UInt32?) {
        guard message.type == type(NFULNL_MSG_PACKET), message.body.count >= MemoryLayout<nfgenmsg>.size else {
            return (.other, nil)
        }
        var parts = Parts()
        for attribute in bytes.attributes(message.body.dropFirst(MemoryLayout<nfgenmsg>.size)) {
            let value = attribute.value
            switch UInt32(attribute.type) {
            // struct nfulnl_msg_packet_hdr: EtherType, hook, padding.
            case NFULA_PACKET_HDR.rawValue:
                parts.etherType = bytes.number(UInt16.self, value).map(UInt16.init(bigEndian:))
                parts.hook = bytes.load(UInt8.self, at: value.lowerBound + 2)
            case NFULA_PREFIX.rawValue: parts.prefix = bytes.textRange(value)
            case NFULA_PAYLOAD.rawValue: parts.payload = value
            case NFULA_CT.rawValue: parts.connection = value
            case NFULA_SEQ.rawValue: parts.sequence = bytes.number(UInt32.self, value).map(UInt32.init(bigEndian:))
            default: break
            }
        }
        // struct nfgenmsg: family, version, group.
        let family = bytes.load(UInt8.self, at: message.body.lowerBound) ?? 0
        return (parts.message(family: family).map(Reading.packet) ?? .unreadable, parts.sequence)
    }

    /// The type of a message of this subsystem.
    static func type(_ message: nfulnl_msg_types) -> UInt16 {
        UInt16(NFNL_SUBSYS_ULOG) << 8 | UInt16(truncatingIfNeeded: message.rawValue)
    }

    private struct Parts {
        var etherType: UInt16?
        var hook: UInt8?
        var prefix = 0..<0
        var payload: Range<Int>?
        var connection: Range<Int>?
        var sequence: UInt32?

        func message(family: UInt8) -> VerdictLogMessage? {
            guard let isIPv4 = isIPv4(family), let payload else { return nil }
            return VerdictLogMessage(isIPv4: isIPv4, prefix: prefix, payload: payload, connection: connection)
        }

        /// Whether the packet is IPv4, by the family of the rule; for a bridge or device rule, by the packet's own protocol.
        private func isIPv4(_ family: UInt8) -> Bool? {
            switch Int32(family) {
            case AF_INET: return true
            case AF_INET6: return false
            // On a device's egress hook the packet begins with its link header (linux/netfilter.h: NFPROTO_NETDEV is 5,
            // NF_NETDEV_EGRESS 1).
            case 5 where hook == 1: return nil
            default:
                switch Int32(etherType ?? 0) {
                case ETH_P_IP: return true
                case ETH_P_IPV6: return false
                default: return nil
                }
            }
        }
    }
}

extension NetlinkBytes {
    /// The part of a range before its first zero.
    func textRange(_ range: Range<Int>) -> Range<Int> {
        let end = range.first { load(UInt8.self, at: $0) ?? 0 == 0 }
        return range.lowerBound..<(end ?? range.upperBound)
    }
}
