import Encoding
import FlowModel
import Foundation
import Testing

/// Records with texts of any length have a bounded length, are valid JSON, and count the omitted labels.
struct RecordLimitsTests {
    private func line(_ record: FlowRecord, _ limits: RecordLimits = .init()) -> (line: String, ShortenedTexts) {
        var encoder = JSONLineEncoder(extendedFields: true, limits: limits)
        var buffer = ByteBuffer()
        encoder.encode(record, into: &buffer)
        let line = String(decoding: buffer.take(), as: UTF8.self)
        #expect(line.utf8.count <= encoder.maximumLineBytes)
        return (line, encoder.shortened)
    }

    private func parsed(_ line: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    // MARK: Labels

    /// Labels of an endpoint, the limit of their bytes, and the labels that the record has.
    struct Labels: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var labels: [String]
        var limit: Int
        var kept: [String]
        var omitted: Int
    }

    @Test(arguments: [
        Labels(testDescription: "all fit", labels: ["a=1", "b=2"], limit: 11, kept: ["a=1", "b=2"], omitted: 0),
        Labels(testDescription: "a byte too many", labels: ["a=1", "b=2"], limit: 10, kept: ["a=1"], omitted: 1),
        Labels(testDescription: "the first is long", labels: ["a=12345", "b=2"], limit: 8, kept: ["b=2"], omitted: 1),
        Labels(testDescription: "none fits", labels: ["a=1", "b=2"], limit: 4, kept: [], omitted: 2),
        Labels(testDescription: "no labels are wanted", labels: ["a=1", "b=2", "c=3"], limit: 0, kept: [], omitted: 3),
        Labels(testDescription: "there are none", labels: [], limit: 0, kept: [], omitted: 0),
        Labels(testDescription: "escapes count", labels: ["a=\u{1}", "b=2"], limit: 9, kept: ["b=2"], omitted: 1),
        Labels(testDescription: "escapes fit", labels: ["a=\u{1}"], limit: 10, kept: ["a=\u{1}"], omitted: 0),
    ])
    func omitsAndCountsLabelsBeyondLimit(_ row: Labels) throws {
        let endpoint = Endpoint(
            kind: .workload,
            name: "p-1",
            aggregatedName: "p-*",
            namespace: "n",
            labels: LabelSet(sorted: row.labels)
        )
        let end = FlowRecord.End(nil, 1, endpoint)
        let (line, shortened) = line(Sample.record(source: end, destination: end), RecordLimits(labelBytes: row.limit))
        let marker = row.omitted == 0 ? [] : ["\(RecordLimits.omittedLabelsKey)=\(row.omitted)"]
        for key in ["source_labels", "dest_labels"] {
            let labels = try #require(try parsed(line)[key] as? [String: [String]])
            #expect(labels["labels"] == row.kept + marker)
        }
        #expect(shortened.labelSets == (row.omitted == 0 ? 0 : 1))
    }

    /// The endpoint has 200 labels of the greatest length that Kubernetes allows, 76 kB in all.
    @Test func largestRecordFitsIntoDatagram() throws {
        let (key, value) = (String(repeating: "k", count: 314), String(repeating: "v", count: 63))
        let labels = (100..<300).map { "\($0)\(key)=\(value)" }
        let long = String(repeating: "\u{1}", count: 100_000)
        let endpoint = Endpoint(
            kind: .workload,
            name: long,
            aggregatedName: long,
            namespace: long,
            labels: LabelSet(sorted: labels)
        )
        let hits = (0..<5_000).map { "\($0)|tier|namespace/tier.policy-\($0)|allow|0" }
        let trace = PolicyTrace(action: .deny, enforced: hits, pending: hits)
        let record = Sample.record(
            source: .init(nil, 1, endpoint),
            destination: .init(nil, 1, endpoint),
            service: ServicePort(namespace: long, name: long, portName: long, port: 65_535),
            policies: .init(enforced: trace, pending: trace),
            drops: .init(inbound: .max, outbound: .max, reason: DropReason(name: long, isDecision: true))
        )
        let (line, shortened) = line(record, RecordLimits(labelBytes: RecordLimits.maximumLabelBytes))
        _ = try parsed(line)
        #expect(line.utf8.count < 65_507)
        #expect(shortened.labelSets == 1)
        #expect(shortened.names == 2)
        #expect(shortened.policyTraces == 1)
        // With the default, a record of hostile names and labels is still less than half of that.
        #expect(self.line(record).line.utf8.count < 32_768)
    }

    @Test func reportsEndpointWithOmittedLabels() {
        var encoder = JSONLineEncoder(limits: RecordLimits(labelBytes: 20))
        var buffer = ByteBuffer()
        encoder.encode(Sample.record(), into: &buffer)
        #expect(encoder.lastShortened === Sample.pod)
        #expect(encoder.shortened.labelSets == 1)
        // The encoder counts an endpoint once, when it renders it; evictions from the cache do not count it again.
        for _ in 0..<3 {
            encoder.encode(Sample.record(), into: &buffer)
            encoder.encode(Sample.record(source: .init(nil, nil, Sample.node)), into: &buffer)
            encoder.forgetUnused()
        }
        #expect(encoder.shortened.labelSets == 1)
    }

    // MARK: Names

    @Test(arguments: [
        (String(repeating: "n", count: 253), String(repeating: "n", count: 253)),
        (String(repeating: "n", count: 254), String(repeating: "n", count: 250) + "…"),
        (String(repeating: "é", count: 200), String(repeating: "é", count: 125) + "…"),
        (String(repeating: "\u{1}", count: 42), String(repeating: "\u{1}", count: 42)),
        (String(repeating: "\u{1}", count: 43), String(repeating: "\u{1}", count: 41) + "…"),
        (String(repeating: "\"", count: 126), String(repeating: "\"", count: 126)),
        (String(repeating: "\"", count: 127), String(repeating: "\"", count: 125) + "…"),
        (String(repeating: "😀", count: 64), String(repeating: "😀", count: 62) + "…"),
    ])
    func cutsLongNamesBetweenCharacters(_ name: String, _ shown: String) throws {
        let endpoint = Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: name)
        let service = ServicePort(namespace: name, name: name, portName: name, port: 1)
        let (line, shortened) = line(Sample.record(source: .init(nil, nil, endpoint), service: service))
        let fields = try parsed(line)
        for key in [
            "source_name", "source_name_aggr", "source_namespace", "dest_service_namespace", "dest_service_name",
            "dest_service_port",
        ] {
            #expect(fields[key] as? String == shown, "\(key)")
        }
        #expect(shortened.names == (name == shown ? 0 : 2))
    }

    // MARK: Policies

    @Test(arguments: [1, 100, 160, 170, 5_000])
    func keepsFirstAndLastOfManyHits(_ count: Int) throws {
        let hits = (0..<count).map { "\($0)|tier|tier.some-policy-with-a-name-\($0)|pass|0" }
        let trace = PolicyTrace(action: .allow, enforced: hits, pending: ["0|a|b|allow|0"])
        let (line, shortened) = line(Sample.record(policies: .init(enforced: trace, pending: trace)))
        let policies = try #require(try parsed(line)["policies"] as? [String: [String]])
        let kept = try #require(policies["enforced_policies"])
        #expect(kept.last == hits.last)
        #expect(Array(kept.dropLast()) == Array(hits.prefix(kept.count - 1)))
        #expect(kept.joined(separator: "\",\"").utf8.count + 2 <= 8192)
        #expect((kept.count == hits.count) == (shortened.policyTraces == 0))
        #expect(kept.count == hits.count || kept.count > 150)
        #expect(policies["pending_policies"] == ["0|a|b|allow|0"])
    }

    @Test func omitsHitBeyondSizeLimit() throws {
        let trace = PolicyTrace(
            action: .deny,
            enforced: ["0|a|b|pass|0", "1|" + String(repeating: "x", count: 9_000)],
            pending: []
        )
        let (line, _) = line(Sample.record(policies: .init(enforced: trace, pending: trace)))
        let policies = try #require(try parsed(line)["policies"] as? [String: [String]])
        #expect(policies["enforced_policies"] == ["0|a|b|pass|0"])
    }
}
