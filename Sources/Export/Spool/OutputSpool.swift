import Posix

/// The spool of an output: moves queued batches to disk, and returns them in order, including batches of earlier runs.
///
/// A batch that cannot be written (disk full or broken) stays in memory and is delivered from there. A batch whose flush is not
/// committed is held back, so that a later run can discard it, because delivered records cannot be taken back.
final class OutputSpool {
    /// The maximum time for which a batch is held back, because an output whose disk is full must not stop others.
    static let patience = Duration.seconds(30)

    private let spool: Spool
    /// Whether a full spool drops its oldest batches for new ones.
    private let dropsOldest: Bool
    /// Batches of this run that could not be written to disk, oldest first.
    private var direct: [RecordBatch] = []
    /// The time when each of this run's batches on disk was accepted, and its number of records, by batch number.
    private var own: [UInt64: (at: ContinuousClock.Instant, records: Int)] = [:]
    private let opened: ContinuousClock.Instant
    private let clock: () -> ContinuousClock.Instant
    /// The next batch, if it is held back.
    private var held: (number: UInt64, origin: BatchOrigin)?
    /// The number of the batch being delivered, and whether it is on disk.
    private var current: (number: UInt64, isOnDisk: Bool)?
    private var notices: [String] = []
    private var knownDamage = 0
    private var isFailing = false

    /// Whether batches can be written to disk.
    var isTaking: Bool { !isFailing }

    /// Whether no batch is in memory only.
    var isAllOnDisk: Bool { direct.isEmpty && current?.isOnDisk != false }

    /// The number of bytes on disk that are not delivered.
    var waitingBytes: Int { spool.waitingBytes }

    /// The number of records of a killed run that were discarded, because they are made again.
    var discarded: Int { spool.discarded }

    /// The time when the batch that is held back is delivered in any case; nil without such a batch.
    var heldUntil: ContinuousClock.Instant? { held.map { (own[$0.number]?.at ?? opened) + Self.patience } }

    /// Takes an open spool.
    ///
    /// - Parameters:
    ///   - spool: the spool.
    ///   - dropsOldest: whether a full spool drops its oldest batches; otherwise it rejects new ones.
    ///   - clock: returns the current time; replaced in tests.
    init(
        _ spool: Spool,
        dropsOldest: Bool = false,
        clock: @escaping () -> ContinuousClock.Instant = { .now }
    ) {
        self.spool = spool
        self.clock = clock
        opened = clock()
        self.dropsOldest = dropsOldest
    }

    /// Moves queued batches to disk.
    func takeIn(_ channel: OutputChannel) {
        while direct.isEmpty, let batch = channel.take() {
            do throws(SystemError) {
                if try append(batch, channel) {
                    own[batch.number] = (clock(), batch.records)
                    channel.moveOut(bytes: batch.bytes.count)
                    isFailing = false
                } else {
                    channel.settle(
                        .init(bytes: batch.bytes.count, delivered: 0, drops: OutputDrops(queueFull: batch.records))
                    )
                }
            } catch {
                if !isFailing { notices.append("the spool cannot be written, records wait in memory only: \(error)") }
                isFailing = true
                direct.append(batch)
            }
        }
        channel.note(spooledBytes: spool.waitingBytes)
    }

    private func append(_ batch: RecordBatch, _ channel: OutputChannel) throws(SystemError) -> Bool {
        while !(try spool.append(batch)) {
            guard dropsOldest, spool.couldTake(batch), let given = try spool.dropOldest() else { return false }
            held = nil
            for (number, records) in given {
                // Batches of an earlier run are not in the counts yet.
                if own.removeValue(forKey: number) == nil { channel.adopt(records) }
                channel.settle(.init(bytes: 0, delivered: 0, drops: OutputDrops(queueFull: records)))
            }
        }
        return true
    }

    /// Returns the next batch: the oldest on disk, otherwise the oldest in memory; nil if there is none, or if it is held back.
    func take(from channel: OutputChannel) -> RecordBatch? {
        takeIn(channel)
        // Reading skips damaged entries, and removes delivered segments.
        defer { channel.note(spooledBytes: spool.waitingBytes) }
        if isHeldBack(channel) { return nil }
        do throws(SystemError) {
            if let batch = try spool.read() {
                noteDamage(channel)
                held = (batch.number, batch.origin)
                if isHeldBack(channel) {
                    spool.putBack()
                    return nil
                }
                if own.removeValue(forKey: batch.number) == nil, current?.number != batch.number {
                    channel.adopt(batch.records)
                }
                current = (batch.number, true)
                return batch
            }
            noteDamage(channel)
            // The whole spool was read: the remaining batches of this run were in damaged entries that do not identify them.
            lose(own.values.reduce(0) { $0 + $1.records }, channel)
            own = [:]
        } catch {
            notices.append("the spool cannot be read: \(error)")
        }
        guard !direct.isEmpty else { return nil }
        let batch = direct.removeFirst()
        current = (batch.number, false)
        return batch
    }

    /// Whether the next batch is known, and its flush is not committed.
    private func isHeldBack(_ channel: OutputChannel) -> Bool {
        guard let next = held, let end = heldUntil else { return false }
        if !next.origin.isCommitted(by: channel.lastFlush), clock() < end { return true }
        held = nil
        return false
    }

    private func noteDamage(_ channel: OutputChannel) {
        guard spool.damaged > knownDamage else { return }
        let places = spool.damaged - knownDamage
        knownDamage = spool.damaged
        var records = 0
        for damage in spool.takeDamages() {
            if let known = own.removeValue(forKey: damage.number)?.records {
                records += known
            } else if !damage.isOfRun {
                // Batches of an earlier run are not in the counts yet.
                channel.adopt(damage.records)
                records += damage.records
            }
        }
        lose(records, channel)
        notices.append(
            "damaged or incomplete places of the spool are passed over: \(places), with \(records) records as far as known"
        )
    }

    private func lose(_ records: Int, _ channel: OutputChannel) {
        guard records > 0 else { return }
        channel.settle(.init(bytes: 0, delivered: 0, drops: OutputDrops(damaged: records)))
    }

    /// Settles the current batch, which was delivered or abandoned.
    func settle(_ settlement: DeliveryMachine.Settlement, _ channel: OutputChannel) {
        var settlement = settlement
        if current?.isOnDisk == true {
            spool.settle()
            settlement.bytes = 0
            channel.note(spooledBytes: spool.waitingBytes)
        }
        current = nil
        channel.settle(settlement)
    }

    /// Ends the run: batches on disk stay there, other batches are counted as unsent.
    func end(_ abandoned: DeliveryMachine.Settlement?, _ channel: OutputChannel) {
        if let abandoned, current?.isOnDisk != true { channel.settle(abandoned) }
        for batch in direct {
            channel.settle(.init(bytes: batch.bytes.count, delivered: 0, drops: OutputDrops(unsent: batch.records)))
        }
        direct = []
        takeIn(channel)
    }

    /// Returns and removes the messages to log for the operator.
    func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }
}
