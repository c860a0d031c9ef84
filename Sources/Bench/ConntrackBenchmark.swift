import CWeir
import ClusterModel
import Datapath
import FlowLog
import FlowModel
import Glibc
import Inventory
import Policy

/// Measures the cost of a new flow for the agent, and the part of it that is connection tracking.
///
/// Connection tracking is that of the benchmark's own network namespace, filled with artificial connections. The flows are new
/// TCP connections of this node's pods: a quarter each to services, to the outside, to pods, and from pods of other nodes to
/// backends of services.
package enum ConntrackBenchmark {
    private static let rounds = 7
    private static let flows = 20_000

    /// Measures with 0, 10,000 and 100,000 connections in connection tracking.
    ///
    /// - Throws: a `DatapathError` if connection tracking is missing or cannot be queried, or without the privileges.
    package static func run(report: (Measurement) -> Void) throws {
        let sample = ConnectionSample(flows: flows)
        for entries in [0, 10_000, 100_000] {
            let namespace = try OwnNamespace()
            let tracker = try Conntrack()
            let refused = tracker.insert(sample.entries(entries))
            guard refused == 0 else {
                throw DatapathError.system(
                    operation: "insert \(entries) connections into connection tracking",
                    errno: ENOMEM,
                    advice: "\(refused) were refused: raise net.netfilter.nf_conntrack_max"
                )
            }
            let messages = try Conntrack(usesProgram: false)
            report(question(sample, entries, tracker, messages))
            for measurement in newFlow(sample, entries, tracker) { report(measurement) }
            withExtendedLifetime(namespace) {}
        }
    }

    /// Measures a lookup, in batches as in the agent.
    private static func question(
        _ sample: ConnectionSample,
        _ entries: Int,
        _ tracker: Conntrack,
        _ messages: Conntrack
    ) -> Measurement {
        let questions = sample.questions
        func time(_ tracker: Conntrack) -> Double {
            fastest(of: rounds) {
                for start in stride(from: 0, to: questions.count, by: 512) {
                    _ = tracker.connections(of: Array(questions[start..<min(start + 512, questions.count)]))
                }
            } / Double(questions.count)
        }
        return Measurement(
            "conntrack/question-\(entries)",
            unit: "ns",
            value: time(tracker),
            baseline: time(messages),
            against: "ctnetlink, 128 messages a system call"
        )
    }

    /// Measures the beginning and end of a flow in the agent, and the share of connection tracking.
    private static func newFlow(_ sample: ConnectionSample, _ entries: Int, _ tracker: Conntrack) -> [Measurement] {
        let (with, without) = (sample.time(rounds, tracker), sample.time(rounds, nil))
        let against = "without connection tracking"
        return [
            Measurement(
                "conntrack/new-flow-\(entries)",
                unit: "ns",
                value: with / Double(flows),
                baseline: without / Double(flows),
                against: against
            ),
            Measurement(
                "conntrack/new-flows-\(entries)",
                unit: "flows/s",
                value: Double(flows) / with * 1e9,
                baseline: Double(flows) / without * 1e9,
                against: against
            ),
            Measurement(
                "conntrack/share-\(entries)",
                unit: "%",
                value: max(0, with - without) / with * 100,
                baseline: 0,
                against: "of a new flow is connection tracking"
            ),
        ]
    }
}

/// A network namespace that the calling thread is in as long as this exists.
private struct OwnNamespace: ~Copyable {
    private let home: Int32

    init() throws(DatapathError) {
        home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0, weir_netns_unshare() >= 0 else {
            if home >= 0 { close(home) }
            throw .system(operation: "make a network namespace", errno: errno, advice: "run as root")
        }
    }

    deinit {
        _ = weir_netns_enter(home)
        close(home)
    }
}
