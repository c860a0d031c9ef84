import Datapath
import Server

/// Writes the number and the duration of the programs' runs, where the kernel measures them.
struct ProgramMetrics: MetricsSource {
    let board: RunBoard

    func write(to writer: inout MetricsWriter) {
        let times = board.kernel.programs.filter { $0.runs > 0 }
        guard !times.isEmpty else { return }
        let labels = times.map { MetricLabels(["program": $0.name]) }
        writer.family("weir_bpf_runs", .counter, "Runs of a program while the kernel measured.")
        for (labels, time) in zip(labels, times) { writer.sample(labels, time.runs) }
        writer.family("weir_bpf_run_seconds", .counter, "How long these runs took.")
        for (labels, time) in zip(labels, times) { writer.sample(labels, Double(time.nanoseconds) / 1e9) }
    }
}
