/// The last flush that had ended when a batch was submitted.
///
/// The batch belongs to the next flush. If a producer is killed before it commits that flush, a later run makes its records
/// again, with other intervals and sums. Batches of that flush in a spool are then discarded.
package struct BatchOrigin: Sendable, Hashable {
    /// The identifier, across runs, of the counters from which the records are made; 0 if no later run makes the records again.
    package var counters: UInt64
    /// The end of the flush, CLOCK_BOOTTIME in ns.
    package var flush: UInt64

    /// Takes all members.
    package init(counters: UInt64, flush: UInt64) {
        (self.counters, self.flush) = (counters, flush)
    }

    /// The origin of records that no later run makes again.
    static let none = BatchOrigin(counters: 0, flush: 0)

    /// Whether the flush of the batch is committed, given the last committed flush, or will not be made again.
    func isCommitted(by last: BatchOrigin) -> Bool {
        counters == 0 || counters != last.counters || flush < last.flush
    }
}
