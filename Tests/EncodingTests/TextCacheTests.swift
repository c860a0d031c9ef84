import Encoding
import FlowModel
import Testing

/// The encoder's cache of the texts of endpoints, label sets, services and policy traces.
struct TextCacheTests {
    /// The objects of one record.
    private struct Names {
        let number: Int
        let endpoint: Endpoint
        let labels: LabelSet
        let service: ServicePort
        let trace: PolicyTrace

        init(_ number: Int) {
            self.number = number
            endpoint = Endpoint(
                kind: .workload,
                name: "pod-\(number)",
                aggregatedName: "group-\(number)",
                namespace: "ns-\(number)"
            )
            labels = LabelSet(sorted: ["label-\(number)=1"])
            service = ServicePort(namespace: "ns-\(number)", name: "svc-\(number)", portName: "p-\(number)", port: 80)
            trace = PolicyTrace(action: .allow, enforced: ["enforced-\(number)"], pending: ["pending-\(number)"])
        }
    }

    private static let names = (0..<3000).map(Names.init)

    /// Encodes a record for each number and checks the names in its line.
    private func encode(
        _ numbers: some Sequence<Int>,
        with encoder: inout JSONLineEncoder,
        level: AggregationLevel = .none
    ) {
        var buffer = ByteBuffer()
        for number in numbers {
            let names = Self.names[number]
            let record = Sample.record(
                level: level,
                source: .init(address: nil, port: nil, endpoint: names.endpoint, labels: names.labels),
                destination: .init(nil, nil, Sample.world),
                service: names.service,
                policies: .init(enforced: names.trace, pending: names.trace)
            )
            encoder.encode(record, into: &buffer)
            let line = String(decoding: buffer.take(), as: UTF8.self)
            let name = level < .podPrefix ? "pod-\(number)" : "-"
            #expect(line.contains("\"source_name\":\"\(name)\",\"source_name_aggr\":\"group-\(number)\","))
            #expect(line.contains("\"source_namespace\":\"ns-\(number)\","))
            #expect(line.contains("\"source_labels\":{\"labels\":[\"label-\(number)=1\"]},"))
            #expect(line.contains("\"dest_service_name\":\"svc-\(number)\",\"dest_service_port\":\"p-\(number)\","))
            #expect(line.contains("\"dest_name\":\"-\",\"dest_name_aggr\":\"pub\","))
            let enforced = "{\"enforced_policies\":[\"enforced-\(number)\"],"
            #expect(line.contains("\"policies\":\(enforced)\"pending_policies\":[\"pending-\(number)\"]},"))
        }
    }

    /// Checks how many objects of each type are cached; the common destination of all records is one more endpoint.
    private func expectHeld(_ count: Int, by encoder: borrowing JSONLineEncoder) {
        #expect(encoder.cachedEndpoints == (count == 0 ? 0 : count + 1))
        #expect(encoder.cachedLabelSets == count)
        #expect(encoder.cachedServices == count)
        #expect(encoder.cachedPolicyTraces == count)
    }

    @Test func cachesEachObjectOnce() {
        var encoder = JSONLineEncoder()
        encode([1, 1, 2, 1], with: &encoder)
        expectHeld(2, by: encoder)
        encode([1, 2], with: &encoder, level: .podPrefix)
        expectHeld(2, by: encoder)
    }

    @Test func evictsObjectsUnusedInLastFlush() {
        var encoder = JSONLineEncoder()
        encode([10, 20, 30], with: &encoder)
        encoder.forgetUnused()
        expectHeld(3, by: encoder)
        encode([20], with: &encoder)
        encoder.forgetUnused()
        expectHeld(1, by: encoder)
        encode([20, 10], with: &encoder)
        expectHeld(2, by: encoder)
        encoder.forgetUnused()
        encoder.forgetUnused()
        expectHeld(0, by: encoder)
        encode([10], with: &encoder)
    }

    @Test func encodesCorrectlyWhileCacheGrowsAndShrinks() {
        var encoder = JSONLineEncoder()
        encode(0..<3000, with: &encoder)
        expectHeld(3000, by: encoder)
        encoder.forgetUnused()
        encode(stride(from: 0, to: 3000, by: 7), with: &encoder)
        encoder.forgetUnused()
        expectHeld(429, by: encoder)
        encode(0..<3000, with: &encoder)
    }

    /// A trace counts as used if a record has only its enforced or only its pending hits.
    @Test func cachesTracesOfEnforcedAndPendingHits() {
        var encoder = JSONLineEncoder()
        var buffer = ByteBuffer()
        let (first, second) = (Self.names[1].trace, Self.names[2].trace)
        let hits = "{\"enforced_policies\":[\"enforced-1\"],\"pending_policies\":[\"pending-2\"]}"
        for _ in 0..<3 {
            encoder.encode(Sample.record(policies: .init(enforced: first, pending: second)), into: &buffer)
            #expect(String(decoding: buffer.take(), as: UTF8.self).contains(hits))
            encoder.forgetUnused()
            #expect(encoder.cachedPolicyTraces == 2)
        }
        encoder.encode(Sample.record(policies: .init(enforced: second, pending: second)), into: &buffer)
        encoder.forgetUnused()
        #expect(encoder.cachedPolicyTraces == 1)
        encoder.encode(Sample.record(), into: &buffer)
        encoder.forgetUnused()
        #expect(encoder.cachedPolicyTraces == 0)
    }

    /// A new version of an endpoint has a new ID, and its own text in the cache.
    @Test func rendersNewVersionOfEndpoint() {
        var encoder = JSONLineEncoder()
        var buffer = ByteBuffer()
        let old = Self.names[0].endpoint
        let new = Endpoint(replacing: old, kind: .workload, name: "renamed", aggregatedName: "group", namespace: "ns")
        for endpoint in [old, new] { encoder.encode(Sample.record(source: .init(nil, nil, endpoint)), into: &buffer) }
        let lines = String(decoding: buffer.take(), as: UTF8.self)
        #expect(lines.contains("\"source_name\":\"pod-0\"") && lines.contains("\"source_name\":\"renamed\""))
        #expect(old.object == new.object && old.id != new.id)
    }
}
