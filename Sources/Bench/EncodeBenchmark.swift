import Encoding
import FlowModel
import Foundation

/// Measures the cost of encoding a record: the JSON line encoder compared with Foundation's `JSONEncoder` for the same records,
/// and with a copy of the same bytes.
package enum EncodeBenchmark {
    /// The lines of a round, and the number of lines of the same record.
    ///
    /// The agent encodes a record where it was made, but a record in an array is copied first: its reference counting would
    /// take a third of the time. The agent's buffer stays in a cache, and so does one with this number of lines; many more
    /// would measure the memory.
    private static let (lines, repetitions) = (2_000, 10)
    private static let rounds = 70

    /// Measures records of two labelled workloads, a service and policies at the finest level, all values different
    /// from record to record.
    ///
    /// - Throws: the errors of `JSONEncoder`.
    package static func run(report: (Measurement) -> Void) throws {
        let sample = SampleRecords.make(lines / repetitions)
        var encoder = JSONLineEncoder()
        var buffer = ByteBuffer(capacity: 8 << 20)
        let ours = fastest(of: rounds) {
            buffer.removeAll()
            for record in sample { encode(record, with: &encoder, into: &buffer) }
        }
        let bytes = buffer.count
        let text = buffer.take()
        var target = text
        let copied = fastest(of: rounds) {
            target.withUnsafeMutableBytes { target in text.withUnsafeBytes { target.copyMemory(from: $0) } }
        }
        let foundation = try foundationTime(sample)

        report(
            Measurement(
                "encode/json-records",
                unit: "records/s",
                value: Double(lines) / ours * 1e9,
                baseline: Double(sample.count) / foundation * 1e9,
                against: "Foundation JSONEncoder"
            )
        )
        report(
            Measurement(
                "encode/json-bytes",
                unit: "MB/s",
                value: Double(bytes) / ours * 1e3,
                baseline: Double(bytes) / copied * 1e3,
                against: "memcpy of the same \(bytes / lines)-byte lines"
            )
        )
    }

    private static func encode(
        _ record: borrowing FlowRecord,
        with encoder: inout JSONLineEncoder,
        into buffer: inout ByteBuffer
    ) {
        for _ in 0..<repetitions { encoder.encode(record, into: &buffer) }
    }

    private static func foundationTime(_ sample: [FlowRecord]) throws -> Double {
        let encoder = JSONEncoder()
        var bytes = 0
        let time = try fastest(of: 3) {
            bytes = 0
            for record in sample { bytes += try encoder.encode(FoundationRecord(record: record)).count }
        }
        precondition(bytes > sample.count * 1_000, "a record has all its fields")
        return time
    }
}

/// Records as in a busy cluster.
enum SampleRecords {
    static func make(_ count: Int) -> [FlowRecord] {
        let clients = (0..<50).map { endpoint("frontend-755cdc7957", pod: $0, namespace: "shop") }
        let servers = (0..<50).map { endpoint("checkout-6d4b75cb6d", pod: $0, namespace: "shop") }
        let service = ServicePort(namespace: "shop", name: "checkout", portName: "http", port: 80)
        let traces = (0..<200).map(trace)
        return (0..<count).map { number in
            let spread = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
            let client = clients[number % clients.count]
            let server = servers[number / 7 % servers.count]
            let trace = traces[number % traces.count]
            // One connection of ten began under earlier policies.
            let formerTrace = number % 10 == 0 ? traces[number / 10 % traces.count] : trace
            return FlowRecord(
                startTime: 1_790_000_000,
                endTime: 1_790_000_010,
                level: .none,
                source: .init(
                    address: IPAddress(10, 244, UInt8(truncatingIfNeeded: spread >> 8), UInt8(number & 0xff)),
                    port: UInt16(truncatingIfNeeded: 32_768 + number % 28_000),
                    endpoint: client,
                    labels: client.labels
                ),
                destination: .init(
                    address: IPAddress(10, 244, UInt8(truncatingIfNeeded: spread >> 16), 17),
                    port: 8_080,
                    endpoint: server,
                    labels: server.labels
                ),
                service: service,
                proto: .tcp,
                action: .allow,
                reporter: number % 2 == 0 ? .source : .destination,
                policies: .init(enforced: formerTrace, pending: trace),
                inbound: TrafficCounters(packets: spread >> 50, bytes: spread >> 40),
                outbound: TrafficCounters(packets: spread >> 48, bytes: spread >> 34),
                flows: FlowCounts(total: 1, started: 1, completed: UInt64(number % 2))
            )
        }
    }

    private static func trace(_ number: Int) -> PolicyTrace {
        let hits = [
            "0|security|security.block-alienvault-ipthreatfeed|pass|1",
            "1|platform|platform.platform-default-pass|pass|0",
            "2|application|application.application-default-pass|pass|-1",
            "3|default|shop/knp.default.allow-service-\(number)|allow|\(number % 7)",
        ]
        return PolicyTrace(action: .allow, enforced: hits, pending: hits)
    }

    private static func endpoint(_ prefix: String, pod: Int, namespace: String) -> Endpoint {
        Endpoint(
            kind: .workload,
            name: "\(prefix)-\(["x7k2p", "9fqzv", "m4tdc"][pod % 3])\(pod)",
            aggregatedName: "\(prefix)-*",
            namespace: namespace,
            labels: LabelSet(sorted: [
                "app.kubernetes.io/name=\(prefix)", "app.kubernetes.io/part-of=shop", "pod-template-hash=755cdc7957",
                "tier=web", "version=v1.24.3",
            ])
        )
    }
}

/// The same record, encoded with `Codable`.
private struct FoundationRecord: Encodable {
    let record: FlowRecord

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { nil }
    }

    private static let keys = FlowField.allCases.map { Key(stringValue: $0.description.name) }
    private static let types = FlowField.allCases.map(\.description.type)

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for field in FlowField.standard {
            let key = Self.keys[field.rawValue]
            switch field {
            case .startTime: try container.encode(record.startTime, forKey: key)
            case .endTime: try container.encode(record.endTime, forKey: key)
            case .sourceIP: try container.encode(record.source.address?.description, forKey: key)
            case .sourceName: try container.encode(record.source.endpoint.name, forKey: key)
            case .sourceNameAggr: try container.encode(record.source.endpoint.aggregatedName, forKey: key)
            case .sourceNamespace: try container.encode(record.source.endpoint.namespace ?? "-", forKey: key)
            case .sourcePort: try container.encode(record.source.port, forKey: key)
            case .sourceType: try container.encode(record.source.endpoint.kind.rawValue, forKey: key)
            case .sourceLabels: try encodeLabels(of: record.source, key, &container)
            case .destIP: try container.encode(record.destination.address?.description, forKey: key)
            case .destName: try container.encode(record.destination.endpoint.name, forKey: key)
            case .destNameAggr: try container.encode(record.destination.endpoint.aggregatedName, forKey: key)
            case .destNamespace: try container.encode(record.destination.endpoint.namespace ?? "-", forKey: key)
            case .destPort: try container.encode(record.destination.port, forKey: key)
            case .destType: try container.encode(record.destination.endpoint.kind.rawValue, forKey: key)
            case .destLabels: try encodeLabels(of: record.destination, key, &container)
            case .destServiceNamespace: try container.encode(record.service?.namespace ?? "-", forKey: key)
            case .destServiceName: try container.encode(record.service?.name ?? "-", forKey: key)
            case .destServicePort: try container.encode(record.service?.portName ?? "-", forKey: key)
            case .destServicePortNum: try container.encode(record.service?.port, forKey: key)
            case .proto: try container.encode(record.proto.name, forKey: key)
            case .action: try container.encode(record.action.rawValue, forKey: key)
            case .reporter: try container.encode(record.reporter.rawValue, forKey: key)
            case .policies: try encodePolicies(key, &container)
            case .bytesIn: try container.encode(record.inbound.bytes, forKey: key)
            case .bytesOut: try container.encode(record.outbound.bytes, forKey: key)
            case .packetsIn: try container.encode(record.inbound.packets, forKey: key)
            case .packetsOut: try container.encode(record.outbound.packets, forKey: key)
            case .numFlows: try container.encode(record.flows.total, forKey: key)
            case .numFlowsStarted: try container.encode(record.flows.started, forKey: key)
            case .numFlowsCompleted: try container.encode(record.flows.completed, forKey: key)
            case .processArgs: try container.encode(["-"], forKey: key)
            default: try encodeEmpty(Self.types[field.rawValue], key, &container)
            }
        }
    }

    private func encodeLabels(
        of end: FlowRecord.End,
        _ key: Key,
        _ container: inout KeyedEncodingContainer<Key>
    ) throws {
        try container.encode(["labels": end.labels?.labels ?? []], forKey: key)
    }

    private func encodePolicies(_ key: Key, _ container: inout KeyedEncodingContainer<Key>) throws {
        let policies = record.policies.map {
            ["enforced_policies": $0.enforced.enforced, "pending_policies": $0.pending.pending]
        }
        try container.encode(policies, forKey: key)
    }

    private func encodeEmpty(
        _ type: FlowFieldType,
        _ key: Key,
        _ container: inout KeyedEncodingContainer<Key>
    ) throws {
        switch type {
        case .integer: try container.encode(0, forKey: key)
        case .string: try container.encode("-", forKey: key)
        default: try container.encodeNil(forKey: key)
        }
    }
}
