package import Filter
package import FlowLog
package import FlowModel

/// The records that an output gets, and their form.
///
/// Outputs with the same selection share the work: each record is folded, filtered and encoded once for all of them.
package struct RecordSelection: Sendable, Hashable {
    /// Records to write; nil for all.
    package var keep: Filter?
    /// Records to leave out; nil for none.
    package var drop: Filter?
    /// Whether records have `host` and `@timestamp`, as shippers would add them.
    package var isWithHost = false
    /// The detail that records keep: levels and parts; ``completed(by:)`` sets the levels.
    package var detail = RecordDetail()
    /// The level of allowed flows; nil for the run's.
    package var levelForAllowed: AggregationLevel?
    /// The level of denied flows; nil for the run's.
    package var levelForDenied: AggregationLevel?
    /// Whether allowed flows are recorded.
    package var recordsAllowed = true
    /// Whether denied flows are recorded.
    package var recordsDenied = true
    /// The seconds of a record of allowed flows; nil for the length of a flush.
    package var intervalForAllowed: Int64?
    /// The seconds of a record of denied flows; nil for the length of a flush.
    package var intervalForDenied: Int64?
    /// The condition under which records are folded further because the output falls behind; nil for never.
    package var easing: Easing?

    /// The condition under which an output counts as being behind.
    package struct Easing: Sendable, Hashable {
        /// The queued bytes.
        package var threshold: Int
        /// The file in which a tailer of the output's file keeps its position, as fluentd writes it; nil where only the queue
        /// and the spool count.
        package var positionFile: String?
    }

    /// Creates the selection of all records.
    package init(keep: Filter? = nil, drop: Filter? = nil) {
        self.keep = keep
        self.drop = drop
    }

    /// Returns the same with the run's levels where it has none of its own.
    func completed(by run: RecordDetail) -> RecordSelection {
        var completed = self
        completed.detail.levelForAllowed = levelForAllowed ?? run.levelForAllowed
        completed.detail.levelForDenied = levelForDenied ?? run.levelForDenied
        // Equal selections share a stream.
        (completed.levelForAllowed, completed.levelForDenied) = (nil, nil)
        return completed
    }

    /// Whether flows with a verdict are recorded at all.
    func records(_ action: FlowAction) -> Bool {
        action == .allow ? recordsAllowed : recordsDenied
    }

    /// Returns the seconds of a record of flows with a verdict; nil for the length of a flush.
    func interval(for action: FlowAction) -> Int64? {
        action == .allow ? intervalForAllowed : intervalForDenied
    }

    /// Whether an output with this selection gets a record.
    func includes(_ record: borrowing FlowRecord) -> Bool {
        guard records(record.action) else { return false }
        if let keep, !keep.matches(record) { return false }
        if let drop, drop.matches(record) { return false }
        return true
    }
}

extension Sequence<RecordSelection> {
    /// The finest levels of all selections; nil for a verdict that no selection includes.
    func finestLevel(for action: FlowAction) -> AggregationLevel? {
        filter { $0.records(action) }.map { $0.detail.level(for: action) }.min()
    }
}
