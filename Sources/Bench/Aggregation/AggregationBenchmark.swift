import Compression
import FlowModel
import Foundation

/// Measures the savings of aggregation: the records of a day of an artificial cluster (``TrafficDay``) in files, at each level.
///
/// The traffic is made once and folded to all levels, in records of one flush (10 s, the agent's default) and of 300 s. Every
/// run with the same seed has the same results, on every machine.
package struct AggregationBenchmark {
    private let minutes: Int
    private let seed: UInt64
    private let folder: String?
    private static let start: Int64 = 1_790_000_000 / 86_400 * 86_400
    /// The interval of the longer records, seconds.
    private static let longInterval = 300

    /// Creates the benchmark.
    ///
    /// - Parameters:
    ///   - minutes: the minutes of traffic, a multiple of five; fewer than 1,440 are spread over the day.
    ///   - seed: determines the day.
    ///   - folder: the folder of the lines, with a file for each level and interval; nil to discard them.
    package init(minutes: Int, seed: UInt64, folder: String? = nil) {
        self.minutes = minutes
        self.seed = seed
        self.folder = folder
    }

    /// Makes and measures the traffic.
    ///
    /// - Parameter report: takes the results.
    /// - Throws: the reason why a file cannot be written.
    package func run(report: (Measurement) -> Void) throws {
        let steps = minutes * 60 / TrafficDay.stepSeconds
        var day = TrafficDay(steps: steps, seed: seed, start: Self.start)
        let flushes = try IntervalFiles(TrafficDay.stepSeconds, day.nodes.count, folder)
        let intervals = try IntervalFiles(Self.longInterval, day.nodes.count, folder)
        for step in 0..<steps {
            day.advance()
            let begin = Self.start + Int64(step * TrafficDay.stepSeconds)
            for (number, node) in day.nodes.enumerated() {
                node.flush(begin...begin + Int64(TrafficDay.stepSeconds)) { record in
                    flushes.add(record, of: number)
                    intervals.add(record, of: number)
                }
            }
            try flushes.endFlush(isLast: true)
            try intervals.endFlush(isLast: (step + 1) * TrafficDay.stepSeconds % Self.longInterval == 0)
        }
        for files in [flushes, intervals] { try files.report(perDay: 1_440 / Double(minutes), report) }
    }
}

/// The files of one interval: one for each level, and one for the default levels.
private final class IntervalFiles {
    private let seconds: Int
    private let chains: [LevelChain]
    private let levels: [LevelFile]
    private let standard: LevelFile
    private let foldsLevelNone: Bool

    init(_ seconds: Int, _ nodes: Int, _ folder: String?) throws {
        self.seconds = seconds
        let isOfSeveralFlushes = seconds > TrafficDay.stepSeconds
        foldsLevelNone = isOfSeveralFlushes
        chains = (0..<nodes).map { _ in LevelChain(isOfSeveralFlushes: isOfSeveralFlushes) }
        func file(_ name: String) throws -> LevelFile {
            guard let folder else { return try LevelFile() }
            let path = "\(folder)/\(seconds)s-\(name).log"
            guard FileManager.default.createFile(atPath: path, contents: nil),
                let handle = FileHandle(forWritingAtPath: path)
            else { throw BenchmarkFailure(description: "cannot write \(path): the folder must be there and allow it") }
            return try LevelFile { try handle.write(contentsOf: Data($0)) }
        }
        levels = try AggregationLevel.allCases.map { try file("level-\($0.rawValue)") }
        standard = try file("default")
    }

    func add(_ record: borrowing FlowRecord, of node: Int) {
        if !foldsLevelNone { write(record) }
        chains[node].add(record)
    }

    func endFlush(isLast: Bool) throws {
        for chain in chains {
            chain.endFlush()
            if isLast { chain.endInterval(write) }
        }
        guard isLast else { return }
        for file in levels + [standard] { try file.endInterval() }
    }

    private func write(_ record: borrowing FlowRecord) {
        levels[record.level.rawValue].add(record)
        if record.level == (record.action == .allow ? .podPrefix : .sourcePort) { standard.add(record) }
    }

    func report(perDay: Double, _ report: (Measurement) -> Void) throws {
        for file in levels + [standard] { try file.finish() }
        let names = AggregationLevel.allCases.map { "level-\($0.rawValue)" } + ["default"]
        let whole = levels[0]
        for (name, file) in zip(names, levels + [standard]) {
            precondition(file.traffic == whole.traffic, "no byte is lost between levels")
            let records = Double(file.records) * perDay / 1e6
            let size = file.records > 0 ? file.bytes / file.records : 0
            let compressed = FileCompression.allCases.map { format in
                ("-\(format.rawValue)", file.compressedBytes[format] ?? 0, whole.compressedBytes[format] ?? 0)
            }
            for (suffix, bytes, base) in [("", file.bytes, whole.bytes)] + compressed {
                report(
                    Measurement(
                        "aggregation/\(seconds)s-\(name)\(suffix)",
                        unit: "MB/day",
                        value: Double(bytes) * perDay / 1e6,
                        baseline: Double(base) * perDay / 1e6,
                        against: suffix.isEmpty
                            ? String(format: "level 0; %.2f M records a day of %d B", records, size)
                            : "level 0, compressed"
                    )
                )
            }
        }
    }
}

/// The reason why a benchmark could not be run.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String
}
