import ArgumentParser
import Filter
import FlowModel
import Records

/// Selects the records of a file to show: those of a range, or the last ones.
struct RecordWindow {
    private let filter: Filter
    private let since: Int64?
    private let until: Int64?
    private let last: Int?
    /// The last records so far, in a ring buffer.
    private var kept: [ReadRecord] = []
    private var next = 0
    /// The number of records examined.
    private(set) var seen = 0
    /// The number of records shown.
    private(set) var shown = 0

    /// Takes the selection.
    init(_ filter: Filter, since: Int64?, until: Int64?, last: Int?) {
        self.filter = filter
        self.since = since
        self.until = until
        self.last = last
    }

    /// Examines a record; returns whether to show it immediately.
    mutating func admits(_ record: ReadRecord) -> Bool {
        seen += 1
        let end = Int64(clamping: record.integer(.endTime))
        guard since.map({ end > $0 }) ?? true, until.map({ end <= $0 }) ?? true, filter.matches(record) else {
            return false
        }
        shown += 1
        guard let last else { return true }
        if kept.count < last { kept.append(record) } else { kept[next] = record }
        next = (next + 1) % last
        return false
    }

    /// The last records, oldest first; later records are shown immediately.
    mutating func takeLast() -> [ReadRecord] {
        guard let last else { return [] }
        let records = kept.count < last ? kept : Array(kept[next...] + kept[..<next])
        shown = records.count
        self = RecordWindow(filter, since: since, until: until, last: nil, seen: seen, shown: shown)
        return records
    }

    private init(_ filter: Filter, since: Int64?, until: Int64?, last: Int?, seen: Int, shown: Int) {
        self.init(filter, since: since, until: until, last: last)
        (self.seen, self.shown) = (seen, shown)
    }
}
