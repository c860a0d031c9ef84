import Filter
import FlowModel

/// What a filter costs a record: compiled filters beside the same questions written in Swift.
public enum FilterBenchmark {
    private static let rounds = 200

    /// Measures filters of one, three and many comparisons, on records of two labelled workloads.
    ///
    /// - Throws: what is wrong with a filter; never.
    public static func run(report: (Measurement) -> Void) throws {
        let records = SampleRecords.make(500)
        let cases: [(String, String, @Sendable (borrowing FlowRecord) -> Bool)] = [
            ("one-comparison", "dest_port == 8080", { $0.destination.port == 8080 }),
            (
                "three-comparisons", "dest_namespace == \"shop\" && action == \"allow\" && bytes_out > 1000000000000",
                {
                    $0.destination.endpoint.namespace == "shop" && $0.action == .allow
                        && $0.outbound.bytes > 1_000_000_000_000
                }
            ),
            (
                "label-and-range",
                "source_labels[\"app.kubernetes.io/name\"] == \"frontend-755cdc7957\" && source_ip == \"10.244.0.0/17\"",
                {
                    $0.source.labels?.labels.contains("app.kubernetes.io/name=frontend-755cdc7957") == true
                        && ($0.source.address?.ipv4 ?? 0) >> 15 == (10 << 24 | 244 << 16) >> 15
                }
            ),
        ]
        for (name, text, closure) in cases {
            let filter = try Filter(text)
            let (ours, kept) = time(records) { filter.matches($0) }
            let (theirs, wanted) = time(records, closure)
            precondition(kept == wanted, "the filter asks what the code asks")
            report(
                Measurement(
                    "filter/\(name)",
                    unit: "ns/record",
                    value: ours,
                    baseline: theirs,
                    against: "the same in Swift; \(kept) of \(records.count) kept"
                )
            )
        }
    }

    private static func time(
        _ records: [FlowRecord],
        _ question: (borrowing FlowRecord) -> Bool
    ) -> (nanoseconds: Double, kept: Int) {
        var kept = 0
        let time = fastest(of: rounds) {
            kept = 0
            for index in records.indices where question(records[index]) { kept += 1 }
        }
        return (time / Double(records.count), kept)
    }
}
