import Foundation

/// The fields of a record that the bank's screen shows.
struct YaobankRecord: Decodable {
    /// The policy hits of the record.
    struct Policies: Decodable {
        var enforcedPolicies: [String]?
        var pendingPolicies: [String]?

        /// Hits of the enforced policies, in order; the format does not guarantee an order.
        var enforced: [String] { Self.inOrder(enforcedPolicies) }
        /// Hits as if staged policies were enforced, in order.
        var pending: [String] { Self.inOrder(pendingPolicies) }

        private static func inOrder(_ hits: [String]?) -> [String] {
            (hits ?? []).sorted { index($0) < index($1) }
        }

        private static func index(_ hit: String) -> Int {
            hit.split(separator: "|").first.flatMap { Int($0) } ?? .max
        }
    }

    var action: String
    var reporter: String
    var sourceName: String
    var sourceNameAggr: String
    var sourceNamespace: String
    var destName: String
    var destNameAggr: String
    var destNamespace: String
    var destPort: UInt16?
    var proto: String
    var policies: Policies?
    var packetsIn: UInt64
    var packetsOut: UInt64
    var bytesIn: UInt64
    var bytesOut: UInt64
    var numFlows: Int
    var numFlowsStarted: Int
    var numFlowsCompleted: Int

    /// Parses a line; nil if it is not a record.
    init?(_ line: Data) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let record = try? decoder.decode(YaobankRecord.self, from: line) else { return nil }
        self = record
    }

    /// Both ends by their short names, as in `customer-856cd6d9f5-* → database-69f6f4db5b-* 2379/tcp`.
    var ends: String {
        "\(sourceNameAggr) → \(destNameAggr)" + (destPort.map { " \($0)/\(proto)" } ?? " \(proto)")
    }
}
