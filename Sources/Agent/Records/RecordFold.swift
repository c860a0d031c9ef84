import FlowLog
import FlowModel

/// Folds the records of an output whose selection differs from the detail of the records that are made.
///
/// Each verdict is folded separately, because it may have its own interval.
struct RecordFold: ~Copyable {
    private var allowed: RecordFolder
    private var denied: RecordFolder
    private let selection: RecordSelection

    /// Creates the fold of a selection; nil if records already have its form.
    ///
    /// - Parameters:
    ///   - selection: the selection of the output.
    ///   - made: the detail of the records that are made.
    init?(_ selection: RecordSelection, of made: RecordDetail) {
        let isNeeded = FlowAction.allCases.contains { action in
            selection.records(action)
                && (selection.detail.folds(action, at: made.level(for: action))
                    || selection.interval(for: action) != nil)
        }
        guard isNeeded else { return nil }
        self.init(selection, selection.detail)
    }

    /// Folds to a detail, whatever the detail of the selection.
    ///
    /// - Parameters:
    ///   - selection: the intervals.
    ///   - detail: the detail that records keep.
    init(_ selection: RecordSelection, _ detail: RecordDetail) {
        self.selection = selection
        allowed = RecordFolder(detail)
        denied = RecordFolder(detail)
    }

    /// Whether nothing is gathered.
    var isEmpty: Bool { allowed.count == 0 && denied.count == 0 }

    /// Takes a record.
    ///
    /// - Returns: whether the gathered records must be taken before the interval ends.
    mutating func add(_ record: borrowing FlowRecord) -> Bool {
        if record.action == .allow {
            allowed.add(record)
            return allowed.isFull
        }
        denied.add(record)
        return denied.isFull
    }

    /// Takes out the records of verdicts whose interval ends with a flush.
    ///
    /// - Parameters:
    ///   - flush: the seconds of the flush; nil to take out everything.
    ///   - emit: takes the records.
    mutating func endFlush(_ flush: ClosedRange<Int64>?, _ emit: (borrowing FlowRecord) -> Void) {
        allowed.endFlush()
        denied.endFlush()
        if isDue(.allow, flush) { allowed.takeAll(emit) }
        if isDue(.deny, flush) { denied.takeAll(emit) }
    }

    /// Takes out everything.
    mutating func takeAll(_ emit: (borrowing FlowRecord) -> Void) {
        allowed.takeAll(emit)
        denied.takeAll(emit)
    }

    /// Whether the interval of a verdict ends with a flush: at multiples of its length, even after a step of the clock.
    private func isDue(_ action: FlowAction, _ flush: ClosedRange<Int64>?) -> Bool {
        guard let flush, let interval = selection.interval(for: action) else { return true }
        return flush.upperBound / interval != flush.lowerBound / interval
    }
}
