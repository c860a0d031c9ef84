import Compression
import Encoding
import Export
import FlowModel

/// The size of a file of records: lines are counted and compressed, but not stored.
final class LevelFile {
    private(set) var records = 0
    private(set) var bytes = 0
    /// The size of the compressed file in each format.
    private(set) var compressedBytes: [FileCompression: Int] = [:]
    /// The traffic of all records, which is the same at every level.
    private(set) var traffic = TrafficCounters.zero
    private var encoder = JSONLineEncoder()
    private var buffer = ByteBuffer(capacity: 1 << 20)
    private let compressors: [FileCompression: any Compressor]
    private let sink: (([UInt8]) throws -> Void)?

    /// Begins a file.
    ///
    /// - Parameter sink: takes the lines; nil to discard them.
    /// - Throws: an error if there is no memory for compression.
    init(_ sink: (([UInt8]) throws -> Void)? = nil) throws {
        compressors = try Dictionary(uniqueKeysWithValues: FileCompression.allCases.map { ($0, try $0.compressor()) })
        self.sink = sink
    }

    /// Appends a record.
    func add(_ record: borrowing FlowRecord) {
        encoder.encode(record, into: &buffer)
        traffic += record.inbound + record.outbound
        records += 1
    }

    /// Takes the lines of an interval.
    func endInterval() throws {
        let lines = buffer.take()
        bytes += lines.count
        for (format, compressor) in compressors {
            compressedBytes[format, default: 0] += try compressor.add(lines).count
        }
        try sink?(lines)
        encoder.forgetUnused()
    }

    /// Completes the file.
    func finish() throws {
        for (format, compressor) in compressors {
            compressedBytes[format, default: 0] += try compressor.finish().count
        }
    }
}
