import Foundation
import Lab
import Testing

/// nftables as an independent counter of the packets that arrive in a namespace, flow by flow.
///
/// One at each end of a cable counts both directions as they are on the wire; before connection tracking, so that
/// fragments are seen one by one.
struct WireCounters {
    private let namespace: NetworkNamespace

    /// Begins to count the packets that arrive on an interface.
    init(in namespace: NetworkNamespace, interface: String = "eth0") throws {
        self.namespace = namespace
        try namespace.nft(Self.rules(interface))
    }

    private static func rules(_ interface: String) -> String {
        """
        table inet weir {
          set pairs4 { type inet_proto . ipv4_addr . ipv4_addr; \(attributes) }
          set pairs6 { type inet_proto . ipv6_addr . ipv6_addr; \(attributes) }
          set flows4 { type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service; \(attributes) }
          set flows6 { type inet_proto . ipv6_addr . inet_service . ipv6_addr . inet_service; \(attributes) }
          chain arrive {
            type filter hook prerouting priority raw; policy accept;
            iifname != "\(interface)" accept
            meta nfproto ipv4 add @pairs4 { meta l4proto . ip saddr . ip daddr }
            meta nfproto ipv6 add @pairs6 { meta l4proto . ip6 saddr . ip6 daddr }
            meta l4proto { tcp, udp } ip frag-off & 0x3fff == 0 \\
              add @flows4 { meta l4proto . ip saddr . th sport . ip daddr . th dport }
            meta l4proto { tcp, udp } meta nfproto ipv6 exthdr frag missing \\
              add @flows6 { meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport }
          }
        }

        """
    }

    private static let attributes = "size 65535; flags dynamic; counter;"

    /// Packets that are no fragments of TCP and UDP, by flow.
    func flows() throws -> [WireTuple: Count] {
        try read(["flows4", "flows6"]) { words in
            guard words.count == 5 else { return nil }
            return WireTuple(
                proto: words[0],
                source: words[1],
                sourcePort: UInt16(words[2]) ?? 0,
                destination: words[3],
                destinationPort: UInt16(words[4]) ?? 0
            )
        }
    }

    /// All packets, by protocol and addresses.
    func pairs() throws -> [WireTuple: Count] {
        try read(["pairs4", "pairs6"]) { words in
            guard words.count == 3 else { return nil }
            return WireTuple(proto: words[0], source: words[1], destination: words[2])
        }
    }

    /// Everything.
    func total() throws -> Count { try pairs().values.reduce(Count(), +) }

    private func read(_ sets: [String], _ tuple: ([String]) -> WireTuple?) throws -> [WireTuple: Count] {
        var counts: [WireTuple: Count] = [:]
        for set in sets {
            let text = try namespace.command(["nft", "-j", "list", "set", "inet", "weir", set])
            let listing = try JSONDecoder().decode(Listing.self, from: Data(text.utf8))
            for element in listing.nftables.compactMap(\.set).flatMap({ $0.elem ?? [] }) {
                let words = element.elem.val.concat.map(\.text)
                let key = try #require(tuple(words), "unknown element \(words)")
                counts[key] = Count(element.elem.counter.packets, element.elem.counter.bytes)
            }
        }
        return counts
    }
}

/// `nft -j list set`, as libnftables-json(5) describes it.
private struct Listing: Decodable {
    var nftables: [Item]

    struct Item: Decodable {
        var set: Elements?
    }

    struct Elements: Decodable {
        var elem: [Element]?
    }

    struct Element: Decodable {
        var elem: Body
    }

    struct Body: Decodable {
        var val: Value
        var counter: Counter
    }

    struct Value: Decodable {
        var concat: [Word]
    }

    struct Counter: Decodable {
        var packets: UInt64
        var bytes: UInt64
    }

    /// A protocol, an address or a port; protocols have the names that records give them.
    struct Word: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                text = "\(number)"
            } else {
                let name = try container.decode(String.self)
                text = name == "ipv6-icmp" ? "icmp6" : name
            }
        }
    }
}
