import FlowModel
import Glibc

extension IPAddress {
    /// Reads an address with the C library, or returns nil where it cannot.
    init?(text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if text.contains(":") {
            guard inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
            let words = (0..<2).map { half in
                bytes[half * 8..<half * 8 + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            }
            self.init(ipv6High: words[0], low: words[1])
        } else {
            guard inet_pton(AF_INET, text, &bytes) == 1 else { return nil }
            self.init(bytes[0], bytes[1], bytes[2], bytes[3])
        }
    }
}

/// Answers from a table: named endpoints, own addresses, and one network for the rest.
struct TableResolver: EndpointResolver {
    static let network = Endpoint(id: 900_000_000, kind: .network, name: "-", aggregatedName: "pvt")

    var generation: UInt64 = 1
    var own: Set<IPAddress> = []
    var endpoints: [IPAddress: Endpoint] = [:]

    func endpoint(at address: IPAddress) -> Endpoint {
        endpoints[address] ?? Self.network
    }

    func isOwn(_ address: IPAddress) -> Bool {
        own.contains(address)
    }
}

/// Random numbers that are the same in every run (SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

/// A record with everything that tells it from another, as a value and as text.
struct RecordText: Hashable, Comparable, CustomStringConvertible {
    let description: String

    init(_ record: borrowing FlowRecord) {
        func end(_ end: FlowRecord.End) -> String {
            let address = end.address.map(\.description) ?? "*"
            let port = end.port.map(String.init) ?? "*"
            let owner = end.endpoint
            let name = end.address == nil ? "-" : owner.name
            let names = "\(owner.namespace ?? "-")/\(owner.aggregatedName)/\(name)"
            return "\(address):\(port) \(owner.kind.rawValue)(\(names))"
        }
        description = """
            \(record.startTime)-\(record.endTime) level \(record.level.rawValue) \(record.proto.name) \
            \(end(record.source)) > \(end(record.destination)) \(record.reporter.rawValue) \(record.action.rawValue) \
            in \(record.inbound.packets)/\(record.inbound.bytes) out \(record.outbound.packets)/\(record.outbound.bytes) \
            flows \(record.flows.total)/\(record.flows.started)/\(record.flows.completed)
            """
    }

    init(_ description: String) {
        self.description = description
    }

    static func < (left: RecordText, right: RecordText) -> Bool {
        left.description < right.description
    }
}
