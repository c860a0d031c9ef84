/// Writes metrics in one of the text formats: a family's header, then its samples.
///
/// The caller must write the samples of a family together, and no two samples with the same labels. Only the bytes of a sample
/// are kept.
package struct MetricsWriter: ~Copyable {
    /// The type of a family.
    package enum Kind: String, Sendable {
        /// A counter; the writer appends `_total` to its name.
        case counter
        /// A gauge.
        case gauge
        /// A histogram.
        case histogram
        /// A summary without quantiles: sum and count.
        case summary
        /// The constant 1, with information in its labels.
        case info
    }

    private var buffer: TextBuffer
    private let format: ExpositionFormat
    /// The name of the current family's samples, with the opening brace.
    private var prefix: [UInt8] = []
    private var name = ""

    private static let close: [UInt8] = Array("} ".utf8)

    /// Creates a writer for a format.
    ///
    /// - Parameters:
    ///   - format: the format.
    ///   - size: the expected number of bytes.
    package init(_ format: ExpositionFormat, expecting size: Int = 0) {
        self.format = format
        buffer = TextBuffer(capacity: max(size, 64 << 10))
    }

    /// Begins a family.
    ///
    /// - Parameters:
    ///   - name: the name, without `_total` (counters), `_info` or `_bucket`.
    ///   - kind: the type.
    ///   - help: the help text, a sentence.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        let sample =
            switch kind {
            case .counter: name + "_total"
            case .info: name + "_info"
            case .gauge, .histogram, .summary: name
            }
        prefix = Array("\(sample){".utf8)
        // Prometheus text uses the name of the samples in headers, OpenMetrics the name of the family.
        let head = format == .openMetrics ? name : sample
        let type = format == .prometheus && kind == .info ? "gauge" : kind.rawValue
        buffer.append("# HELP \(head) \(Self.escapedHelp(help, format))\n# TYPE \(head) \(type)\n")
    }

    /// Writes an integer sample of the family.
    package mutating func sample(_ labels: MetricLabels, _ value: UInt64) {
        begin(labels)
        buffer.append(value)
        buffer.append(byte: 0x0a)
    }

    /// Writes a sample with two sets of labels, both not empty.
    package mutating func sample(_ thing: MetricLabels, _ aspect: MetricLabels, _ value: UInt64) {
        buffer.appendSample(head: prefix, thing.bytes, aspect.bytes, value)
    }

    /// Writes a floating-point sample.
    package mutating func sample(_ labels: MetricLabels, _ value: Double) {
        begin(labels)
        buffer.append(Self.text(value))
        buffer.append(byte: 0x0a)
    }

    /// Writes the samples of a histogram.
    package mutating func sample(_ labels: MetricLabels, _ histogram: MetricHistogram) {
        let lead = labels.bytes.isEmpty ? "" : String(decoding: labels.bytes, as: UTF8.self) + ","
        var count: UInt64 = 0
        for (bound, hits) in zip(histogram.bounds, histogram.counts) {
            count += hits
            buffer.append("\(name)_bucket{\(lead)le=\"\(Self.text(bound))\"} \(count)\n")
        }
        count += histogram.counts.last ?? 0
        buffer.append("\(name)_bucket{\(lead)le=\"+Inf\"} \(count)\n")
        sum(labels, histogram.sum, count: count)
    }

    /// Writes sum and count of a summary or a histogram.
    package mutating func sum(_ labels: MetricLabels, _ sum: Double, count: UInt64) {
        let set = labels.bytes.isEmpty ? "" : "{\(String(decoding: labels.bytes, as: UTF8.self))}"
        buffer.append("\(name)_sum\(set) \(Self.text(sum))\n\(name)_count\(set) \(count)\n")
    }

    /// Ends the text, and passes it to a body.
    package consuming func finish<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if format == .openMetrics { buffer.append("# EOF\n") }
        return buffer.withBytes(body)
    }

    private mutating func begin(_ labels: MetricLabels) {
        buffer.append(prefix)
        buffer.append(labels.bytes)
        buffer.append(Self.close)
    }

    private static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // OpenMetrics requires floats as bucket bounds: 1.0 instead of 1.
        return "\(value)"
    }

    private static func escapedHelp(_ help: String, _ format: ExpositionFormat) -> String {
        var text = ""
        for character in help {
            switch character {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\"" where format == .openMetrics: text += "\\\""
            default: text.append(character)
            }
        }
        return text
    }
}

/// A histogram's buckets.
package struct MetricHistogram: Sendable, Equatable {
    /// The upper bounds, ascending; values above the last one are counted, too.
    package let bounds: [Double]
    /// The number of values in each bucket; the last bucket has no upper bound.
    package private(set) var counts: [UInt64]
    /// The sum of all values.
    package private(set) var sum = 0.0

    /// Durations from 100 µs to 10 s, in seconds.
    package static let durations = MetricHistogram(
        bounds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    )

    /// Creates an empty histogram.
    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// The number of values.
    package var count: UInt64 { counts.reduce(0, +) }

    /// Adds a value.
    package mutating func record(_ value: Double) {
        var place = 0
        while place < bounds.count, value > bounds[place] { place += 1 }
        counts[place] += 1
        sum += value
    }
}
