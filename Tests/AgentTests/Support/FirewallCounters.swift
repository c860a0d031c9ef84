import Foundation
import Lab

/// The named counters of nftables, as libnftables-json(5) describes them.
enum FirewallCounters {
    private struct Listing: Decodable {
        struct Item: Decodable {
            var counter: Counter?
        }
        struct Counter: Decodable {
            var name: String
            var packets: UInt64
            var bytes: UInt64
        }
        var nftables: [Item]
    }

    /// All of a namespace, by name: IP packets and IP bytes.
    static func read(in namespace: NetworkNamespace) throws -> [String: Count] {
        let text = try namespace.command(["nft", "-j", "list", "counters"])
        let listing = try JSONDecoder().decode(Listing.self, from: Data(text.utf8))
        return listing.nftables.compactMap(\.counter).reduce(into: [:]) { $0[$1.name] = Count($1.packets, $1.bytes) }
    }
}
