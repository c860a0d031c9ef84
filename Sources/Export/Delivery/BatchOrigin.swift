/// The last flush that had ended when a batch was submitted.
///
/// The next flush is the one that the batch belongs to. If a producer is killed before it commits that flush, a later run
/// makes its records again, with other intervals and sums: what a spool has of it is discarded then.
package struct BatchOrigin: Sendable, Hashable {
    /// The counters that the records are made of, across runs; 0 for records that no later run makes again.
    package var counters: UInt64
    /// The end of the flush, CLOCK_BOOTTIME in ns.
    package var flush: UInt64

    /// Takes all members.
    package init(counters: UInt64, flush: UInt64) {
        (self.counters, self.flush) = (counters, flush)
    }

    /// The origin of records that no later run makes again.
    static let none = BatchOrigin(counters: 0, flush: 0)

    /// Whether the flush that a batch belongs to had ended when another one was committed, or none makes it again.
    func isCommitted(by last: BatchOrigin) -> Bool {
        counters == 0 || counters != last.counters || flush < last.flush
    }
}
