import Export
import Foundation
import Posix

/// Measures the throughput of the spool, compared with a plain file of the same bytes.
package struct SpoolBenchmark {
    private static let batchBytes = 256 << 10
    private static let rounds = 3
    private let folder: String?
    private let batches: [RecordBatch]

    private struct Times {
        var write = Double.infinity
        var read = Double.infinity
    }

    /// Creates the benchmark.
    ///
    /// - Parameters:
    ///   - megabytes: the amount of data.
    ///   - folder: the parent of a temporary folder; nil for the folder of temporary files.
    package init(megabytes: Int, folder: String? = nil) {
        self.folder = folder
        let text = "{\"start_time\":1790000000,\"end_time\":1790000010,\"source_name\":\"frontend-755cdc7957-x7k2p\"}\n"
        let line = Array(text.utf8)
        let lines = Self.batchBytes / line.count
        let bytes = [[UInt8]](repeating: line, count: lines).flatMap(\.self)
        batches = (0..<megabytes * 1_000_000 / bytes.count).map { _ in RecordBatch(bytes: bytes, records: lines) }
    }

    /// Writes and reads a spool and a plain file, in turn.
    ///
    /// - Parameter report: takes the results.
    /// - Throws: the reason why a file cannot be used.
    package func run(report: (Measurement) -> Void) throws {
        let parent = folder ?? FileManager.default.temporaryDirectory.path
        let place = "\(parent)/weir-bench-\(getpid())"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: place) }
        var (spool, file) = (Times(), Times())
        for _ in 0..<Self.rounds {
            try time(&spool, spoolIn: place + "/spool")
            try time(&file, fileAt: place + "/file")
        }
        let bytes = Double(batches.reduce(0) { $0 + $1.bytes.count })
        let kinds: [(String, Double, Double)] = [
            ("write", spool.write, file.write), ("read", spool.read, file.read),
            ("write-and-read", spool.write + spool.read, file.write + file.read),
        ]
        for (name, ours, theirs) in kinds {
            report(
                Measurement(
                    "spool/\(name)",
                    unit: "MB/s",
                    value: bytes / ours * 1e3,
                    baseline: bytes / theirs * 1e3,
                    against: "a plain file, \(Self.batchBytes >> 10) KiB a call, no checksums"
                )
            )
        }
    }

    private func time(_ times: inout Times, spoolIn place: String) throws {
        let spool = try Spool(folder: place, limit: .max)
        times.write = min(
            times.write,
            try fastest(of: 1) {
                for batch in batches where !(try spool.append(batch)) {
                    throw BenchmarkFailure(description: "the spool in \(place) takes no batch")
                }
            }
        )
        var records = 0
        times.read = min(
            times.read,
            try fastest(of: 1) {
                while let batch = try spool.read() {
                    records += batch.records
                    spool.settle()
                }
            }
        )
        precondition(records == batches.reduce(0) { $0 + $1.records }, "everything comes back")
    }

    private func time(_ times: inout Times, fileAt path: String) throws {
        defer { unlink(path) }
        let file = try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        times.write = min(
            times.write,
            try fastest(of: 1) { for batch in batches { try file.writeAll(batch.bytes) } }
        )
        var bytes = 0
        times.read = min(
            times.read,
            try fastest(of: 1) {
                while true {
                    let piece = try file.read(Self.batchBytes, at: bytes)
                    guard !piece.isEmpty else { break }
                    bytes += piece.count
                }
            }
        )
        precondition(bytes == batches.reduce(0) { $0 + $1.bytes.count }, "everything comes back")
    }
}
