import Encoding
import FlowModel
import Testing

/// What the encoder keeps of endpoints, and for how long.
struct EndpointTextCacheTests {
    private func endpoint(_ id: UInt32) -> Endpoint {
        Endpoint(id: id, kind: .workload, name: "pod-\(id)", aggregatedName: "group-\(id)", namespace: "ns-\(id)")
    }

    /// Encodes one record per pair and checks the names in every line.
    private func encode(
        _ ids: some Sequence<UInt32>,
        with encoder: inout JSONLineEncoder,
        level: AggregationLevel = .none
    ) {
        var buffer = ByteBuffer()
        for id in ids {
            let record = Sample.record(
                level: level,
                source: .init(address: nil, port: nil, endpoint: endpoint(id)),
                destination: .init(address: nil, port: nil, endpoint: endpoint(id &+ 1))
            )
            encoder.encode(record, into: &buffer)
            let line = String(decoding: buffer.take(), as: UTF8.self)
            let names = level < .podPrefix ? ("pod-\(id)", "pod-\(id &+ 1)") : ("-", "-")
            #expect(line.contains("\"source_name\":\"\(names.0)\",\"source_name_aggr\":\"group-\(id)\","))
            #expect(line.contains("\"dest_name\":\"\(names.1)\",\"dest_name_aggr\":\"group-\(id &+ 1)\","))
            #expect(line.contains("\"dest_namespace\":\"ns-\(id &+ 1)\""))
        }
    }

    @Test func eachEndpointIsKeptOnce() {
        var encoder = JSONLineEncoder()
        encode([1, 1, 2, 1], with: &encoder)
        #expect(encoder.cachedEndpoints == 3)
        encode([1, 2], with: &encoder, level: .podPrefix)
        #expect(encoder.cachedEndpoints == 3)
    }

    @Test func forgetsWhatTheLastFlushDidNotName() {
        var encoder = JSONLineEncoder()
        encode([10, 20, 30], with: &encoder)
        #expect(encoder.cachedEndpoints == 6)
        encoder.forgetUnused()
        #expect(encoder.cachedEndpoints == 6)
        encode([20], with: &encoder)
        encoder.forgetUnused()
        #expect(encoder.cachedEndpoints == 2)
        encode([20, 10], with: &encoder)
        #expect(encoder.cachedEndpoints == 4)
        encoder.forgetUnused()
        encoder.forgetUnused()
        #expect(encoder.cachedEndpoints == 0)
        encode([10], with: &encoder)
    }

    @Test func staysRightWhileItGrowsAndShrinks() {
        var encoder = JSONLineEncoder()
        encode(0..<3000, with: &encoder)
        #expect(encoder.cachedEndpoints == 3001)
        encoder.forgetUnused()
        // Numbers that fall into the same slots as others, and the largest ones there are.
        encode(stride(from: 0, to: 3000, by: 7), with: &encoder)
        encode((UInt32.max - 600)..<UInt32.max, with: &encoder)
        encoder.forgetUnused()
        #expect(encoder.cachedEndpoints == 429 * 2 + 601)
        encode(0..<3000, with: &encoder)
    }
}
