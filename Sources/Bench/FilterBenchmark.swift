import Filter
import FlowModel

/// Measures the cost of a filter for each record: compiled filters compared with the same conditions in Swift.
package enum FilterBenchmark {
    private static let rounds = 200
    /// The number of times that each record is evaluated in a row.
    ///
    /// The agent evaluates a record where it was made, but a record in an array is copied first: its reference counting would
    /// cost more than the filter.
    private static let repetitions = 10

    /// A filter, and the same condition in Swift.
    private struct Case {
        var name: String
        var filter: String
        var question: (borrowing FlowRecord) -> Bool
    }

    /// Measures filters of one, three and many comparisons, on records of two labelled workloads.
    ///
    /// - Throws: the error of a filter; never.
    package static func run(report: (Measurement) -> Void) throws {
        let records = SampleRecords.make(500)
        for one in cases {
            let filter = try Filter(one.filter)
            let (ours, kept) = time(records) { filter.matches($0) }
            let (theirs, wanted) = time(records, one.question)
            precondition(kept == wanted, "the filter and the code select the same records")
            report(
                Measurement(
                    "filter/\(one.name)",
                    unit: "ns/record",
                    value: ours,
                    baseline: theirs,
                    against: "the same in Swift; \(kept) of \(records.count) kept"
                )
            )
        }
    }

    private static var cases: [Case] {
        [
            Case(name: "one-comparison", filter: "dest_port == 8080") { $0.destination.port == 8080 },
            Case(
                name: "three-comparisons",
                filter: "dest_namespace == \"shop\" && action == \"allow\" && bytes_out > 1000000000000"
            ) {
                $0.destination.endpoint.namespace == "shop" && $0.action == .allow
                    && $0.outbound.bytes > 1_000_000_000_000
            },
            Case(
                name: "label-and-range",
                filter: "source_labels[\"app.kubernetes.io/name\"] == \"frontend-755cdc7957\" "
                    + "&& source_ip == \"10.244.0.0/17\""
            ) {
                $0.source.labels?.labels.contains("app.kubernetes.io/name=frontend-755cdc7957") == true
                    && ($0.source.address?.ipv4 ?? 0) >> 15 == (10 << 24 | 244 << 16) >> 15
            },
        ]
    }

    private static func time(
        _ records: [FlowRecord],
        _ question: (borrowing FlowRecord) -> Bool
    ) -> (nanoseconds: Double, kept: Int) {
        var kept = 0
        let time = fastest(of: rounds) {
            kept = 0
            for record in records { kept += ask(record, question) }
        }
        return (time / Double(records.count * repetitions), kept / repetitions)
    }

    private static func ask(_ record: borrowing FlowRecord, _ question: (borrowing FlowRecord) -> Bool) -> Int {
        var kept = 0
        for _ in 0..<repetitions where question(record) { kept += 1 }
        return kept
    }
}
