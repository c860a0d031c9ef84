import ClusterModel
import FlowModel
import Foundation
import Policy

/// Measures the cost of policies.
///
/// It measures evaluations per second, cached and not, compared with a straightforward evaluator. It also measures the time
/// until a changed policy is live in a large cluster, and the memory that this needs.
package enum PolicyBenchmark {
    private static let connections = 50_000

    /// Measures 1,000 policies that all select the busy endpoints, then 5,000 policies and 100,000 pods.
    package static func run(report: (Measurement) -> Void) {
        evaluations(report)
        changes(report)
    }

    // MARK: - Evaluations

    private static func evaluations(_ report: (Measurement) -> Void) {
        let cluster = PolicyCluster.busy(policies: 1_000)
        var store = PolicyStore(format: .enterprise)
        store.apply(cluster.objects.map { .upsert($0) }, from: SourceID(rawValue: 1))
        let snapshot = store.snapshot()
        let sample = cluster.connections(connections)
        var allowed = 0
        func run(_ evaluate: (PolicyCluster.Connection) -> (egress: PolicyTrace?, ingress: PolicyTrace?)) -> Double {
            fastest(of: 5) {
                for connection in sample where evaluate(connection).ingress?.action == .allow { allowed += 1 }
            }
        }
        let evaluated = run {
            snapshot.tracesEvaluated(of: $0.tuple, source: $0.source, destination: $0.destination)
        }
        let few = sample.prefix(8_000)
        let cached = fastest(of: 10) {
            for connection in few {
                let traces = snapshot.traces(
                    of: connection.tuple,
                    source: connection.source,
                    destination: connection.destination
                )
                if traces.ingress?.action == .allow { allowed += 1 }
            }
        }
        let plain = PlainPolicies(cluster)
        let plainSample = sample.prefix(100)
        let straightforward = fastest(of: 2) {
            for connection in plainSample where plain.allows(connection) { allowed += 1 }
        }
        precondition(allowed > 0, "some connections are allowed")
        let baseline = Double(plainSample.count) / straightforward * 1e9
        let against = "one policy and rule after the other"
        report(
            Measurement(
                "policy/remembered",
                unit: "evaluations/s",
                value: Double(few.count) / cached * 1e9,
                baseline: baseline,
                against: against
            )
        )
        report(
            Measurement(
                "policy/evaluated",
                unit: "evaluations/s",
                value: Double(sample.count) / evaluated * 1e9,
                baseline: baseline,
                against: against
            )
        )
    }

    // MARK: - Changes

    private static func changes(_ report: (Measurement) -> Void) {
        let before = residentMemory
        let cluster = PolicyCluster.large(policies: 5_000, pods: 100_000)
        let clusterMemory = residentMemory
        var store = PolicyStore(format: .enterprise)
        let load = fastest(of: 1) {
            store.apply(cluster.objects.map { .upsert($0) }, from: SourceID(rawValue: 1))
            _ = store.snapshot()
        }
        var snapshot = store.snapshot()
        for index in cluster.pods.indices { _ = cluster.evaluate(snapshot, index) }
        let memory = residentMemory
        var live = 0.0
        var stall = 0.0
        for round in 0..<20 {
            let change = cluster.changedPolicy(round)
            let time = fastest(of: 1) {
                store.apply([.upsert(change)], from: SourceID(rawValue: 1))
                snapshot = store.snapshot()
                _ = cluster.evaluate(snapshot, round)
            }
            live = max(live, time)
            for index in 0..<2_000 {
                stall = max(stall, fastest(of: 1) { _ = cluster.evaluate(snapshot, index * 47 % cluster.pods.count) })
            }
        }
        report(
            Measurement(
                "policy/change-live",
                unit: "ms",
                value: live / 1e6,
                baseline: load / 1e6,
                against: "loading all 5,000 policies"
            )
        )
        report(
            Measurement(
                "policy/longest-evaluation",
                unit: "ms",
                value: stall / 1e6,
                baseline: live / 1e6,
                against: "making the change live"
            )
        )
        report(
            Measurement(
                "policy/memory",
                unit: "MiB",
                value: (memory - clusterMemory) / 1_048_576,
                baseline: (clusterMemory - before) / 1_048_576,
                against: "the objects and 100,000 endpoints"
            )
        )
    }

    /// Resident memory of the process, bytes (`/proc/self/statm`).
    private static var residentMemory: Double {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
        return pages * Double(getpagesize())
    }
}
