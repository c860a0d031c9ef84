import Foundation
import Records

/// Parses the lines of a `/api/v1/live` stream from chunks of any size.
struct LiveLineReader: Sendable {
    /// The content of a line.
    enum Line: Sendable {
        /// A record.
        case record(ReadRecord)
        /// The number of records missing at this position.
        case lost(Int)
    }

    private var pending: [UInt8] = []
    private var isPassingOver = false
    /// The number of valid lines.
    private(set) var understood = 0

    private static let record = Array("{\"record\":".utf8)

    /// Adds a chunk; returns the content of its complete lines.
    mutating func take(_ piece: [UInt8]) -> [Line] {
        var lines: [Line] = []
        var start = piece.startIndex
        while let end = piece[start...].firstIndex(of: UInt8(ascii: "\n")) {
            if !isPassingOver {
                pending += piece[start..<end]
                if let line = meaning(pending) { lines.append(line) }
            }
            isPassingOver = false
            pending.removeAll(keepingCapacity: true)
            start = end + 1
        }
        guard !isPassingOver else { return lines }
        pending += piece[start...]
        if pending.count > LineReader.limit {
            pending = []
            isPassingOver = true
        }
        return lines
    }

    private mutating func meaning(_ line: [UInt8]) -> Line? {
        if line.starts(with: Self.record), line.last == UInt8(ascii: "}") {
            guard let record = try? ReadRecord(line[Self.record.count..<(line.count - 1)]) else { return nil }
            understood += 1
            return .record(record)
        }
        guard let object = try? JSONDecoder().decode([String: Int].self, from: Data(line)) else { return nil }
        understood += 1
        return object["lost"].flatMap { $0 > 0 ? .lost($0) : nil }
    }
}
