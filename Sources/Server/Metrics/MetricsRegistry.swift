package import CoreMetrics
import Synchronization

/// A registry of metrics that libraries create: a backend of swift-metrics.
///
/// The number of series is limited; further ones are counted and not kept. A name has one kind: a series of another kind with
/// the same name is not kept.
package final class MetricsRegistry: MetricsFactory, MetricsSource {
    /// The maximum number of series.
    package static let defaultLimit = 2000

    private struct Key: Hashable {
        let name: String
        let labels: MetricLabels
    }

    private struct State {
        var series: [Key: any Series] = [:]
        var kinds: [String: MetricsWriter.Kind] = [:]
        var refused: UInt64 = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    /// Makes an empty registry.
    package init(limit: Int = defaultLimit) {
        self.limit = limit
    }

    /// The number of series that were not kept: beyond the limit, or of another kind than the series with the same name.
    package var refused: UInt64 { state.withLock { $0.refused } }

    private func series<Kept: Series>(
        _ label: String,
        _ dimensions: [(String, String)],
        suffix: String = "",
        _ make: () -> Kept
    ) -> Kept {
        var name = MetricName.sanitized(metric: label)
        if name.hasSuffix("_total") { name.removeLast(6) }
        if !suffix.isEmpty, !name.hasSuffix(suffix) { name += suffix }
        let key = Key(name: name, labels: MetricLabels(dimensions))
        return state.withLock { state in
            if let known = state.series[key] as? Kept { return known }
            let made = make()
            let kind = state.kinds[name] ?? Kept.kind
            guard kind == Kept.kind, state.series[key] == nil, state.series.count < limit else {
                state.refused += 1
                return made
            }
            state.kinds[name] = kind
            state.series[key] = made
            return made
        }
    }

    /// Writes all series, ordered by name.
    package func write(to writer: inout MetricsWriter) {
        let (series, refused) = state.withLock { ($0.series, $0.refused) }
        let families = Dictionary(grouping: series, by: \.key.name)
        for name in families.keys.sorted() {
            guard let members = families[name], let kind = members.first.map({ type(of: $0.value).kind }) else {
                continue
            }
            writer.family(name, kind, "Of a library that Weir uses.")
            for (key, series) in members.sorted(by: {
                $0.key.labels.bytes.lexicographicallyPrecedes($1.key.labels.bytes)
            }) {
                series.write(key.labels, to: &writer)
            }
        }
        writer.family("weir_metrics_series_refused", .counter, "Series of libraries that were not kept: too many.")
        writer.sample(.none, refused)
    }
}

// MARK: - MetricsFactory

extension MetricsRegistry {
    /// Makes a counter.
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions) { CounterSeries() }
    }

    /// Makes a counter of floating-point values.
    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions) { FloatingCounterSeries() }
    }

    /// Makes a gauge.
    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions) { GaugeSeries() }
    }

    /// Makes a recorder: a summary, or a gauge if values must not be summed.
    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions) { GaugeSeries() } }
        return series(label, dimensions) { SummarySeries() }
    }

    /// Makes a timer: a histogram in seconds.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, suffix: "_seconds") { TimerSeries() }
    }

    /// Does nothing: series are kept, and a counter with the same name continues.
    package func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: series are kept.
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Does nothing: series are kept.
    package func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing: series are kept.
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: series are kept.
    package func destroyTimer(_ handler: any TimerHandler) {}
}
