import Posix

/// The spool of an output: takes batches out of the queue at once, and gives them back in their order, also those of
/// earlier runs.
///
/// A batch that the disk does not take (full, broken) stays in memory and goes its way from there.
final class OutputSpool {
    private let spool: Spool
    /// Whether the oldest batches make room for new ones in a full spool.
    private let dropsOldest: Bool
    /// Batches of this run that the disk did not take, the oldest first.
    private var direct: [RecordBatch] = []
    /// Numbers of the batches of this run that wait on disk.
    private var own: Set<UInt64> = []
    /// Whether the batch at hand is on disk, and its number.
    private var current: (number: UInt64, isOnDisk: Bool)?
    private var notices: [String] = []
    private var knownDamage = 0
    private var isFailing = false

    /// Whether the disk takes batches.
    var isTaking: Bool { !isFailing }

    /// Whether nothing that was taken in waits in memory only.
    var isAllOnDisk: Bool { direct.isEmpty && current?.isOnDisk != false }

    /// Bytes on disk that are not delivered.
    var waitingBytes: Int { spool.waitingBytes }

    /// Takes an open spool.
    ///
    /// - Parameters:
    ///   - spool: the spool.
    ///   - dropsOldest: whether the oldest batches make room for new ones where it is full, and not the new ones are refused.
    init(_ spool: Spool, dropsOldest: Bool = false) {
        self.spool = spool
        self.dropsOldest = dropsOldest
    }

    /// Moves what is in the queue to the disk.
    func takeIn(_ channel: OutputChannel) {
        while direct.isEmpty, let batch = channel.take() {
            do throws(SystemError) {
                if try append(batch, channel) {
                    own.insert(batch.number)
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
            for (number, records) in given {
                // Those of an earlier run were not counted yet.
                if own.remove(number) == nil { channel.adopt(records) }
                channel.settle(.init(bytes: 0, delivered: 0, drops: OutputDrops(queueFull: records)))
            }
        }
        return true
    }

    /// The next batch: the oldest on disk, else one that the disk did not take.
    func take(from channel: OutputChannel) -> RecordBatch? {
        takeIn(channel)
        // Reading passes over what is damaged, and removes what is done with.
        defer { channel.note(spooledBytes: spool.waitingBytes) }
        do throws(SystemError) {
            if let batch = try spool.read() {
                if own.remove(batch.number) == nil, current?.number != batch.number { channel.adopt(batch.records) }
                current = (batch.number, true)
                noteDamage()
                return batch
            }
        } catch {
            notices.append("the spool cannot be read: \(error)")
        }
        noteDamage()
        guard !direct.isEmpty else { return nil }
        let batch = direct.removeFirst()
        current = (batch.number, false)
        return batch
    }

    private func noteDamage() {
        guard spool.damaged > knownDamage else { return }
        notices.append("\(spool.damaged - knownDamage) places of the spool are damaged: the records there are lost")
        knownDamage = spool.damaged
    }

    /// The batch at hand is delivered, or given up.
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

    /// The run ends: what is on disk stays there, and the rest is lost.
    func end(_ abandoned: DeliveryMachine.Settlement?, _ channel: OutputChannel) {
        if let abandoned, current?.isOnDisk != true { channel.settle(abandoned) }
        for batch in direct {
            channel.settle(.init(bytes: batch.bytes.count, delivered: 0, drops: OutputDrops(unsent: batch.records)))
        }
        direct = []
        takeIn(channel)
    }

    /// What an operator should read once.
    func takeNotices() -> [String] {
        defer { notices = [] }
        return notices
    }
}
