import CoreMetrics
import Synchronization

/// A metric series that a library created.
protocol Series: AnyObject, Sendable {
    static var kind: MetricsWriter.Kind { get }
    func write(_ labels: MetricLabels, to writer: inout MetricsWriter)
}

/// A counter of integers.
final class CounterSeries: Series, CounterHandler {
    static let kind = MetricsWriter.Kind.counter
    private let value = Atomic<UInt64>(0)

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        value.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(_ labels: MetricLabels, to writer: inout MetricsWriter) {
        writer.sample(labels, value.load(ordering: .relaxed))
    }
}

/// A counter of floating-point numbers.
final class FloatingCounterSeries: Series, FloatingPointCounterHandler {
    static let kind = MetricsWriter.Kind.counter
    private let value = Mutex(0.0)

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.withLock { $0 += amount }
    }

    func reset() { value.withLock { $0 = 0 } }

    func write(_ labels: MetricLabels, to writer: inout MetricsWriter) {
        writer.sample(labels, value.withLock { $0 })
    }
}

/// A gauge, which has the last value.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    static let kind = MetricsWriter.Kind.gauge
    private let value = Mutex(0.0)

    func set(_ new: Int64) { set(Double(new)) }
    func set(_ new: Double) { value.withLock { $0 = new } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ new: Int64) { set(Double(new)) }
    func record(_ new: Double) { set(new) }

    func write(_ labels: MetricLabels, to writer: inout MetricsWriter) {
        writer.sample(labels, value.withLock { $0 })
    }
}

/// A sum of values, and their count.
final class SummarySeries: Series, RecorderHandler {
    static let kind = MetricsWriter.Kind.summary
    private let value = Mutex((sum: 0.0, count: UInt64(0)))

    func record(_ new: Int64) { record(Double(new)) }

    func record(_ new: Double) {
        guard new.isFinite else { return }
        value.withLock { $0 = ($0.sum + new, $0.count + 1) }
    }

    func write(_ labels: MetricLabels, to writer: inout MetricsWriter) {
        let (sum, count) = value.withLock { $0 }
        writer.sum(labels, sum, count: count)
    }
}

/// A histogram of durations.
final class TimerSeries: Series, TimerHandler {
    static let kind = MetricsWriter.Kind.histogram
    private let value = Mutex(MetricHistogram.durations)

    func recordNanoseconds(_ duration: Int64) {
        value.withLock { $0.record(Double(duration) / 1e9) }
    }

    func write(_ labels: MetricLabels, to writer: inout MetricsWriter) {
        writer.sample(labels, value.withLock { $0 })
    }
}
