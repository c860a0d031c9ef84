import Bench
import ClusterModel
import Filter
import FlowModel
import Inventory
import Policy
import Query
import Store

/// Measures the preview of a change of policies: recorded connections evaluated before and after.
struct PreviewBenchmark {
    private static let workloads = 200
    private static let podsPerWorkload = 5
    /// The number of different pairs of pods and ports (level 1).
    private static let connections = 100_000
    /// The number of times that the store contains each of them.
    private static let repetitions = 4
    private static let end: Int64 = 1_790_000_040

    private let before: PolicyTracer
    private let after: PolicyTracer

    /// Measures connections between pods (level 1), connections between workloads (level 2), and the complete path from records
    /// in a store.
    static func run(report: (Measurement) -> Void) throws {
        let benchmark = PreviewBenchmark()
        let (named, folded) = (benchmark.recorded(isNamed: true), benchmark.recorded(isNamed: false))
        let asked = benchmark.traced(named)
        for (name, connections) in [("connections-of-pods", named), ("connections-of-workloads", folded)] {
            var changes = 0
            let time = fastest(of: 5) {
                var preview = benchmark.preview
                preview.judge(connections)
                changes = preview.changes.count
            }
            precondition(changes > 0, "the change changes something")
            report(
                Measurement(
                    "preview/\(name)",
                    unit: "flows/s",
                    value: Double(connections.count) / time * 1e9,
                    baseline: asked,
                    against: "their policies alone, before and after, ends known; \(changes) changes"
                )
            )
        }
        try benchmark.measureRecords(named, asked, report)
    }

    private init() {
        var objects = Self.namespaces + (0..<Self.workloads).map(Self.policy)
        for number in 0..<Self.workloads * Self.podsPerWorkload { objects.append(.pod(Self.pod(number))) }
        before = Self.tracer(objects)
        after = Self.tracer(objects + [Self.change])
    }

    private var preview: PolicyPreview { PolicyPreview(before: before, after: after, enforcesStaged: false) }

    private static func tracer(_ objects: [ClusterObject]) -> PolicyTracer {
        let (changes, source) = (objects.map { ClusterChange.upsert($0) }, SourceID(rawValue: 1))
        var inventory = Inventory(hostName: "")
        inventory.apply(changes, from: source, at: 0)
        var policies = PolicyStore(format: .enterprise)
        policies.apply(changes, from: source)
        var directory = PolicyDirectory()
        directory.apply(changes, from: source)
        return PolicyTracer(inventory: inventory.snapshot(), policies: policies.snapshot(), directory: directory)
    }

    // MARK: The cluster

    private static let namespaces: [ClusterObject] = (0..<20).map {
        .namespace(Namespace(metadata: ObjectMetadata(name: namespace($0), labels: [])))
    }

    private static func namespace(_ workload: Int) -> String { "team-\(workload % 20)" }

    private static func address(_ pod: Int) -> IPAddress { IPAddress(ipv4: 0x0af4_0000 + UInt32(pod)) }

    private static func pod(_ number: Int) -> Pod {
        let workload = number / podsPerWorkload
        return Pod(
            metadata: ObjectMetadata(
                name: "web-\(workload)-755cdc7957-x7k2\(number % podsPerWorkload)",
                namespace: namespace(workload),
                uid: "uid-\(number)",
                generateName: "web-\(workload)-755cdc7957-",
                labels: [
                    Label(key: "app", value: "web-\(workload)"), Label(key: "pod-template-hash", value: "755cdc7957"),
                    Label(key: "tier", value: workload % 3 == 0 ? "batch" : "front"),
                ]
            ),
            addresses: [address(number)],
            node: "node-\(number % 10)",
            serviceAccount: "default"
        )
    }

    /// Allows a tier to call the pods of a workload on two of the three called ports.
    private static func policy(_ workload: Int) -> ClusterObject {
        var rule = CalicoRule(action: .allow, proto: .number(.tcp))
        rule.source.selector = "tier == '\(workload % 2 == 0 ? "batch" : "front")'"
        rule.source.namespaceSelector = "all()"
        rule.destination.ports = [.range(8_080...8_081)]
        return .calicoPolicy(
            CalicoPolicy(
                kind: .calicoNetworkPolicy,
                metadata: ObjectMetadata(name: "default.web-\(workload)", namespace: namespace(workload)),
                order: 10,
                selector: "app == 'web-\(workload)'",
                directions: [.ingress],
                ingress: [rule],
                egress: []
            )
        )
    }

    /// Denies one port to the pods of some workloads.
    private static var change: ClusterObject {
        var rule = CalicoRule(action: .deny, proto: .number(.tcp))
        rule.destination.ports = [.range(8_080...8_080)]
        return .calicoPolicy(
            CalicoPolicy(
                kind: .globalNetworkPolicy,
                metadata: ObjectMetadata(name: "default.deny-some"),
                order: 1,
                selector: "app in {'web-1', 'web-20', 'web-40', 'web-150'}",
                directions: [.ingress],
                ingress: [rule],
                egress: []
            )
        )
    }

    // MARK: The connections

    /// Different connections between pods, or between workloads.
    private func recorded(isNamed: Bool) -> [RecordedConnection] {
        let pods = Self.workloads * Self.podsPerWorkload
        let ends: [(Int, Int)] =
            isNamed
            ? (0..<Self.connections).map { ($0 % pods, ($0 * 7 + $0 / pods) % pods) }
            : (0..<20_000).map { ($0 % 200 * Self.podsPerWorkload, $0 / 200 * 7 % 200 * Self.podsPerWorkload) }
        return ends.enumerated().map { number, ends in
            RecordedConnection(
                source: Self.recordedEnd(ends.0, isNamed),
                destination: Self.recordedEnd(ends.1, isNamed),
                proto: .tcp,
                port: UInt16(8_080 + number % 3),
                connections: 10,
                bytes: 1_000,
                lastSeen: Self.end
            )
        }
    }

    private static func recordedEnd(_ number: Int, _ isNamed: Bool) -> RecordedConnection.End {
        let workload = number / podsPerWorkload
        return RecordedConnection.End(
            type: "wep",
            namespace: namespace(workload),
            aggregatedName: "web-\(workload)-755cdc7957-*",
            name: isNamed ? "web-\(workload)-755cdc7957-x7k2\(number % podsPerWorkload)" : nil,
            address: isNamed ? address(number) : nil
        )
    }

    /// Measures evaluations of policies alone: connections a second.
    private func traced(_ connections: [RecordedConnection]) -> Double {
        var tracer = before
        let questions = connections.compactMap { connection -> PolicyTracer.Question? in
            guard let source = connection.source.address, let target = connection.destination.address else {
                return nil
            }
            var asked = PolicyConnection(source: .address(source), destination: .address(target), proto: .tcp)
            asked.port = connection.port
            return try? tracer.question(asked)
        }
        var denied = 0
        let time = fastest(of: 5) {
            for question in questions {
                if before.traces(question).ingress?.action == .deny { denied += 1 }
                if after.traces(question).ingress?.action == .deny { denied += 1 }
            }
        }
        precondition(denied > 0, "some connections are denied")
        return Double(questions.count) / time * 1e9
    }

    // MARK: From records

    private func measureRecords(
        _ connections: [RecordedConnection],
        _ asked: Double,
        _ report: (Measurement) -> Void
    ) throws {
        let writer = try StoreWriter.inMemory()
        for repetition in 0..<Self.repetitions {
            for connection in connections { writer.take(Self.line(connection, Self.end - Int64(repetition) * 10)) }
            writer.commit()
        }
        let reader = StoreReader(of: writer)
        var query = FlowQuery(
            since: Self.end - 3_600,
            until: Self.end,
            filter: try Filter(""),
            groupBy: RecordedConnection.groupByReporter,
            sums: RecordedConnection.sums
        )
        query.limit = .max
        query.ordersTies = false
        let time = try fastest(of: 2) {
            let result = try reader.read { try query.run($0) }
            let found = RecordedConnection.each(of: result)
            precondition(found.count == connections.count, "each connection is found once")
            var preview = preview
            preview.judge(found)
        }
        report(
            Measurement(
                "preview/records-of-pods",
                unit: "records/s",
                value: Double(connections.count * Self.repetitions) / time * 1e9,
                baseline: asked,
                against: "the policies of connections alone; records are read from a store, \(Self.repetitions) of each"
            )
        )
    }

    private static func line(_ connection: RecordedConnection, _ end: Int64) -> [UInt8] {
        func members(_ side: String, _ end: RecordedConnection.End) -> String {
            "\"\(side)_ip\":\"\(end.address?.description ?? "")\",\"\(side)_name\":\"\(end.name ?? "-")\","
                + "\"\(side)_name_aggr\":\"\(end.aggregatedName)\",\"\(side)_namespace\":\"\(end.namespace ?? "-")\","
                + "\"\(side)_type\":\"\(end.type)\""
        }
        let text =
            "{\"start_time\":\(end - 10),\"end_time\":\(end),\(members("source", connection.source)),"
            + "\(members("dest", connection.destination)),\"dest_port\":\(connection.port ?? 0),\"proto\":\"tcp\","
            + "\"action\":\"allow\",\"reporter\":\"src\",\"num_flows_started\":10,\"bytes_in\":1000}\n"
        return Array(text.utf8)
    }
}
