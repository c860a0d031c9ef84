import Datapath
import Foundation

/// A result of a benchmark: a value and the value of a baseline, measured in the same run.
package struct Measurement: Sendable, Codable {
    /// The name of the measurement, as `topic/case`.
    package var benchmark: String
    /// The unit of both values.
    package var unit: String
    /// The value of Weir.
    package var value: Double
    /// The value of the baseline.
    package var baseline: Double
    /// value / baseline.
    package var ratio: Double
    /// The name of the baseline.
    package var against: String

    /// Takes the values and rounds them; the ratio is 0 without a baseline.
    package init(_ benchmark: String, unit: String, value: Double, baseline: Double, against: String) {
        self.benchmark = benchmark
        self.unit = unit
        self.value = Self.rounded(value)
        self.baseline = Self.rounded(baseline)
        ratio = baseline > 0 ? (value / baseline * 1_000).rounded() / 1_000 : 0
        self.against = against
    }

    private static func rounded(_ value: Double) -> Double {
        (value * 100).rounded() / 100
    }

    /// The result as one JSON object on one line.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = (try? encoder.encode(self)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    /// The result as readable text on one line.
    package var line: String {
        let name = benchmark.padding(toLength: 34, withPad: " ", startingAt: 0)
        let measured = String(format: "%12.2f", value)
        let other = String(format: "%12.2f", baseline)
        let kind = unit.padding(toLength: 14, withPad: " ", startingAt: 0)
        return "\(name)\(measured) \(kind)\(other)  ×\(String(format: "%-8.3f", ratio)) \(against)"
    }

    /// The headings above ``line``.
    package static var header: String {
        "benchmark".padding(toLength: 34, withPad: " ", startingAt: 0)
            + "        weir " + "unit".padding(toLength: 14, withPad: " ", startingAt: 0)
            + "    baseline  ratio     baseline is"
    }
}

/// Measures a piece of work: the fastest of several rounds, ns.
///
/// The fastest round counts, because other processes can only increase the time.
package func fastest(of rounds: Int, _ work: () throws -> Void) rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<rounds {
        let clock = ContinuousClock()
        let time = try clock.measure(work).components
        best = min(best, Double(time.seconds) * 1e9 + Double(time.attoseconds) / 1e9)
    }
    return best
}

/// The requirements of benchmarks.
package enum BenchmarkRequirement {
    /// Whether a benchmark failed because the kernel or the privileges do not allow it.
    package static func isMissing(_ error: any Error) -> Bool {
        (error as? DatapathError)?.isUnsupported ?? false
    }
}
