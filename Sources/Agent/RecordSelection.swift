package import Filter
import FlowModel

/// Which records an output gets, and in which form.
///
/// Outputs with the same selection share the work: each record is asked and encoded once for all of them.
package struct RecordSelection: Sendable, Hashable {
    /// Only records that this asks for; nil for all.
    package var keep: Filter?
    /// But not records that this asks for; nil for none.
    package var drop: Filter?
    /// Whether records say which host they are from, and when, as shippers would add it: `host` and `@timestamp`.
    package var isWithHost = false

    /// All records.
    package init(keep: Filter? = nil, drop: Filter? = nil) {
        self.keep = keep
        self.drop = drop
    }

    /// Whether an output with this selection gets a record.
    func includes(_ record: borrowing FlowRecord) -> Bool {
        if let keep, !keep.matches(record) { return false }
        if let drop, drop.matches(record) { return false }
        return true
    }
}
