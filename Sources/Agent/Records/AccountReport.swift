package import Datapath
import FlowLog
import FlowModel
import Foundation

/// The account of a run: the traffic of every interface, and where each packet was counted.
package struct AccountReport: Sendable, Codable, Equatable {
    /// Packets and bytes.
    package struct Pair: Sendable, Codable, Equatable {
        /// Number of packets.
        package var packets: UInt64 = 0
        /// Number of bytes.
        package var bytes: UInt64 = 0
    }

    /// The reasons why frames could not be parsed, in frames.
    package struct Reasons: Sendable, Codable, Equatable {
        /// The link or VLAN header.
        package var link: UInt64 = 0
        /// The IP header.
        package var network: UInt64 = 0
        /// IPv6 extension headers.
        package var `extension`: UInt64 = 0
        /// The transport header.
        package var transport: UInt64 = 0
    }

    /// Traffic dropped by a decision in one direction: `seen` = `flows` + `overflow` + `remainder`.
    package struct Denied: Sendable, Codable, Equatable {
        /// Everything that was denied.
        package var seen = Pair()
        /// Counted in the flow table.
        package var flows = Pair()
        /// Counted flow by flow outside the table.
        package var overflow = Pair()
        /// Packets and bytes in no flow.
        package var remainder = Pair()
    }

    /// A direction of an interface: `seen` = `flows` + `overflow` + `remainder` + `not_ip` + `unparsed`.
    package struct Direction: Sendable, Codable, Equatable {
        /// Everything: IP packets and IP bytes on the wire, frames and frame bytes of frames that are not IP or not parsed.
        package var seen = Pair()
        /// Counted in the flow table.
        package var flows = Pair()
        /// Counted flow by flow outside the table.
        package var overflow = Pair()
        /// Packets and bytes that are not IP.
        package var notIP = Pair()
        /// Frames that could not be parsed.
        package var unparsed = Pair()
        /// Packets and bytes in no flow.
        package var remainder = Pair()
        /// Seen traffic in none of the other counts: 0 if the account is balanced.
        package var lost = Pair()
        /// Packets and bytes with one packet for each skb, to compare with `ip -s link`.
        ///
        /// They differ where the kernel changes frames between here and the device: it removes VLAN tags before ingress is
        /// seen, and divides super-packets for a device without segmentation offload after egress is seen.
        package var skb = Pair()
        /// The reasons why frames could not be parsed.
        package var unparsedReasons = Reasons()
        /// Traffic while another program had removed Weir's programs, by the interface's own counters; not in `seen`.
        package var gap = Pair()
        /// Packets that a decision dropped: those that entered are in `seen`, those that were about to leave are not.
        package var denied = Denied()

        enum CodingKeys: String, CodingKey {
            case seen, flows, overflow, remainder, lost, unparsed, skb, denied, gap
            case notIP = "not_ip"
            case unparsedReasons = "unparsed_reasons"
        }
    }

    /// An interface.
    package struct Interface: Sendable, Codable, Equatable {
        /// The name, the last one if it was renamed.
        package var name: String
        /// The kernel's index.
        package var ifindex: UInt32
        /// `host` or `workload`.
        package var role: String
        /// The number of interfaces in this row: more than one if older removed interfaces were added up.
        package var interfaces = 1
        /// Traffic into the node.
        package var ingress: Direction
        /// Traffic out of the node.
        package var egress: Direction
    }

    /// Both directions of all interfaces.
    package struct Totals: Sendable, Codable, Equatable {
        /// Traffic into the node.
        package var ingress: Direction
        /// Traffic out of the node.
        package var egress: Direction
    }

    /// The part of the account that is in records.
    package struct Records: Sendable, Codable, Equatable {
        /// Traffic in no record, by reason.
        package struct Unrecorded: Sendable, Codable, Equatable {
            /// Traffic neither of whose ends is known to be this host or one of its workloads.
            package var transit = Pair()
            /// Traffic of flows that were never announced; a fault in Weir.
            package var unknown = Pair()
            /// Packets and bytes that are not IP.
            package var notIP = Pair()
            /// Frames that could not be parsed.
            package var unparsed = Pair()
            /// Denied packets that no record shows as denied.
            package var deniedPackets: UInt64 = 0

            enum CodingKeys: String, CodingKey {
                case transit, unknown, unparsed
                case notIP = "not_ip"
                case deniedPackets = "denied_packets"
            }
        }

        /// Traffic that records show as sent and received by endpoints, or as forwarded by the host.
        package var recorded = Pair()
        /// The part of the recorded traffic that is in records without the other end.
        package var remainder = Pair()
        /// Traffic that was counted at one interface and is in the record of another one, where its workload is.
        package var elsewhere = Pair()
        /// Traffic in no record.
        package var unrecorded = Unrecorded()
    }

    /// Every interface that was watched, including removed ones.
    package var interfaces: [Interface]
    /// Their sums.
    package var totals: Totals
    /// Whether all seen traffic is accounted for, on every interface, to the packet and to the byte.
    package var balanced: Bool
    /// The part of the account that is in records; nil if no records are made.
    package var records: Records?

    /// Creates the report of a run that has ended and made no records.
    package init(_ accounts: [InterfaceAccount]) {
        self.init(accounts, records: nil)
    }

    /// Creates the report of a run that has ended.
    init(_ accounts: [InterfaceAccount], records: RecordAccount?) {
        interfaces = accounts.map { account in
            Interface(
                name: account.name,
                ifindex: account.index,
                role: account.role.name,
                interfaces: account.interfaces,
                ingress: Direction(account.ingress),
                egress: Direction(account.egress)
            )
        }
        var ingress = DirectionAccount()
        var egress = DirectionAccount()
        for account in accounts {
            ingress += account.ingress
            egress += account.egress
        }
        totals = Totals(ingress: Direction(ingress), egress: Direction(egress))
        balanced = accounts.allSatisfy(\.isBalanced)
        self.records = records.map { account in
            var sum = ingress
            sum += egress
            return Records(account, sum)
        }
    }

    /// The report as one JSON object on one line.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Numbers, names and fixed keys: encoding cannot fail.
        let data = (try? encoder.encode(self)) ?? Data("{}".utf8)
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}

extension AccountReport.Pair {
    fileprivate init(_ counters: TrafficCounters) {
        self.init(packets: counters.packets, bytes: counters.bytes)
    }
}

extension AccountReport.Records {
    fileprivate init(_ account: RecordAccount, _ sum: DirectionAccount) {
        recorded = .init(account.recorded)
        remainder = .init(account.remainder)
        elsewhere = .init(account.unrecorded.elsewhere)
        unrecorded.transit = .init(account.unrecorded.transit)
        unrecorded.unknown = .init(account.unrecorded.unknown)
        unrecorded.notIP = .init(sum.notIP)
        unrecorded.unparsed = .init(sum.unparsed)
        unrecorded.deniedPackets = account.unrecordedDenials
    }
}

extension AccountReport.Direction {
    fileprivate init(_ account: DirectionAccount) {
        seen = .init(account.seen)
        flows = .init(account.flows)
        overflow = .init(account.overflow)
        notIP = .init(account.notIP)
        unparsed = .init(account.unparsed)
        remainder = .init(account.remainder)
        lost = .init(account.seen.subtracting(account.accountedFor))
        skb = .init(account.skb)
        gap = .init(account.gap)
        unparsedReasons = .init(
            link: account.unparsedReasons.link,
            network: account.unparsedReasons.network,
            extension: account.unparsedReasons.extension,
            transport: account.unparsedReasons.transport
        )
        denied = .init(
            seen: .init(account.denied.seen),
            flows: .init(account.denied.flows),
            overflow: .init(account.denied.overflow),
            remainder: .init(account.denied.remainder)
        )
    }
}
