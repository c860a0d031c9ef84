/// The next step of an output: connect, write, wait, reconnect or stop.
///
/// A pure state machine: it does no I/O and reads no clock. The driver (``OutputWorker``) calls ``next(now:)``,
/// performs the action, and reports the result.
struct DeliveryMachine {
    /// Instants of the clock that the driver passes in.
    typealias Instant = ContinuousClock.Instant

    /// An action that the driver must perform.
    enum Action: Equatable {
        /// Take the next batch from the queue, and report ``took(_:)``.
        case take
        /// Begin or continue to open the sink.
        case open
        /// Close a sink that did not open in time, and report ``openFailed(_:now:)``.
        case giveUpOpening
        /// Write ``DeliveryMachine/unwritten``.
        case write
        /// Wait until the interest is met, the driver is woken, or the deadline passes.
        case wait(Interest, until: Instant?)
        /// Close the sink and stop.
        case end
    }

    /// The event of the sink that ends a wait.
    enum Interest: Equatable {
        /// None: the sink is closed or paused.
        case nothing
        /// The sink can continue to open.
        case opening
        /// The sink accepts bytes again.
        case writing
        /// The reader disconnects.
        case hangUp
    }

    /// An event to log once for the operator.
    enum Notice: Equatable {
        /// The sink is open for the first time.
        case opened
        /// The sink is not usable, for a reason; attempts continue.
        case away(String)
        /// The sink is usable again, after an outage of this duration.
        case back(after: Duration)
        /// The sink has ended permanently, for a reason.
        case ended(String)
    }

    /// The outcome of a batch.
    struct Settlement: Equatable {
        /// The batch's size.
        var bytes: Int
        /// Records that were delivered completely.
        var delivered: Int
        /// Records that were dropped, by reason.
        var drops = OutputDrops()
    }

    private enum Link {
        case down(retryAt: Instant)
        case opening(giveUpAt: Instant, ready: Bool)
        case open(blocked: Bool)
        case stalled(retryAt: Instant)
        case ended
    }

    /// The maximum time for opening a sink.
    static let openingLimit = Duration.seconds(10)

    /// A duration that is longer than any stop.
    private static let longestStop = Duration.seconds(3600)

    private let resumption: SinkResumption
    /// Whether only a successful write shows that the sink works again.
    private let isOpenWhenWritten: Bool
    private let chance: () -> Double
    private var backoff: Backoff
    private var link: Link
    private var outgoing: Outgoing?
    private var queueMayHaveMore = true
    /// The time when the queue is checked again in any case.
    private var lookAgain: Instant?
    private var stopBy: Instant?
    private var openedAt: Instant?
    private var awaySince: Instant?
    /// The number of times that the sink was reopened.
    private(set) var reconnects = 0

    /// Whether the sink is open and accepts bytes, now or when its reader has read some.
    ///
    /// After a failure, it counts as closed until it is reopened or has accepted bytes again.
    var isOpen: Bool {
        if case .open = link { return awaySince == nil }
        return false
    }

    /// Starts with a closed sink, which is opened immediately.
    init(
        resumption: SinkResumption,
        isOpenWhenWritten: Bool = false,
        now: Instant,
        backoff: Backoff = Backoff(),
        chance: @escaping () -> Double = { Double.random(in: 0...1) }
    ) {
        self.resumption = resumption
        self.isOpenWhenWritten = isOpenWhenWritten
        self.backoff = backoff
        self.chance = chance
        link = .down(retryAt: now)
    }

    /// The next action.
    func next(now: Instant) -> Action {
        if case .ended = link { return .end }
        if let stopBy, now >= stopBy { return .end }
        if outgoing == nil, queueMayHaveMore || lookAgain.map({ now >= $0 }) == true { return .take }
        if outgoing == nil, stopBy != nil { return .end }
        switch link {
        case .ended: return .end
        case .down(let retryAt):
            return now >= retryAt ? .open : .wait(.nothing, until: earlier(retryAt))
        case .opening(let giveUpAt, let ready):
            if ready { return .open }
            return now >= giveUpAt ? .giveUpOpening : .wait(.opening, until: earlier(giveUpAt))
        case .stalled(let retryAt):
            guard now < retryAt else { return outgoing == nil ? .wait(.hangUp, until: nextLook) : .write }
            return .wait(.nothing, until: earlier(retryAt))
        case .open(let blocked):
            guard outgoing != nil else { return .wait(.hangUp, until: nextLook) }
            return blocked ? .wait(.writing, until: stopBy) : .write
        }
    }

    private var nextLook: Instant? { lookAgain.map(earlier) ?? stopBy }

    private func earlier(_ instant: Instant) -> Instant {
        stopBy.map { min($0, instant) } ?? instant
    }
}

// MARK: - Queue

extension DeliveryMachine {
    /// The batch that is being written, and its progress.
    private struct Outgoing {
        let batch: RecordBatch
        var offset = 0
        var drops = OutputDrops()

        /// The offset of the line that is not completely written.
        var startOfLine: Int {
            batch.bytes[..<offset].lastIndex(of: newline).map { $0 + 1 } ?? 0
        }
    }

    /// The bytes of the current batch that are not written yet; nil without a batch.
    var unwritten: ArraySlice<UInt8>? {
        outgoing.map { $0.batch.bytes[$0.offset...] }
    }

    /// The current batch; nil without one.
    var batch: RecordBatch? { outgoing?.batch }

    /// Reports that the driver took a batch from the queue, or that there was none to deliver.
    ///
    /// - Parameters:
    ///   - batch: the batch.
    ///   - lookAgain: the time when there will be a batch in any case; nil if that is not known.
    mutating func took(_ batch: RecordBatch?, lookAgain: Instant? = nil) {
        queueMayHaveMore = batch != nil
        self.lookAgain = lookAgain
        outgoing = batch.map { Outgoing(batch: $0) }
    }

    /// Reports a wake-up: the queue may have more batches.
    mutating func woken() {
        queueMayHaveMore = true
    }

    /// Ends submission; queued batches may be written until a deadline.
    ///
    /// If the sink is not usable, it is tried again immediately, without waiting for the end of the pause, because its reader
    /// may have returned.
    mutating func stop(by instant: Instant) {
        if stopBy == nil {
            // A batch may have been submitted after the queue was found empty.
            queueMayHaveMore = true
            endPause(before: instant)
        }
        stopBy = earlier(instant)
    }

    private mutating func endPause(before instant: Instant) {
        let past = instant - Self.longestStop
        switch link {
        case .down(let retryAt): link = .down(retryAt: min(retryAt, past))
        case .stalled(let retryAt): link = .stalled(retryAt: min(retryAt, past))
        case .opening, .open, .ended: break
        }
    }

    /// Abandons the current batch; returns nil if there is none.
    mutating func abandon() -> Settlement? {
        guard let given = outgoing else { return nil }
        outgoing = nil
        let whole = given.batch.bytes[..<given.offset].reduce(0) { $0 + ($1 == newline ? 1 : 0) }
        let delivered = max(0, min(whole, given.batch.records) - given.drops.total)
        var drops = given.drops
        drops.unsent += given.batch.records - delivered - drops.total
        return Settlement(bytes: given.batch.bytes.count, delivered: delivered, drops: drops)
    }

    /// The number of written bytes of an incomplete line.
    var tornBytes: Int {
        outgoing.map { $0.offset - $0.startOfLine } ?? 0
    }
}

/// The end of a line.
private let newline = UInt8(ascii: "\n")

// MARK: - Sink

extension DeliveryMachine {
    /// Reports that the sink is opening; it is polled for progress.
    mutating func openIsPending(now: Instant) {
        if case .opening(let giveUpAt, _) = link {
            link = .opening(giveUpAt: giveUpAt, ready: false)
        } else {
            link = .opening(giveUpAt: now + Self.openingLimit, ready: false)
        }
    }

    /// Reports that the sink is open.
    mutating func opened(now: Instant) -> Notice? {
        if openedAt != nil { reconnects += 1 }
        let first = openedAt == nil
        openedAt = now
        link = .open(blocked: false)
        return (isOpenWhenWritten ? nil : back(now: now)) ?? (first ? .opened : nil)
    }

    /// Reports that the sink could not be opened.
    mutating func openFailed(_ reason: String, now: Instant) -> Notice? {
        link = .down(retryAt: now + backoff.next(chance: chance()))
        return away(reason, now: now)
    }

    /// Reports that the awaited event of the sink occurred.
    mutating func sinkIsReady() {
        switch link {
        case .opening(let giveUpAt, _): link = .opening(giveUpAt: giveUpAt, ready: true)
        case .open: link = .open(blocked: false)
        case .down, .stalled, .ended: break
        }
    }

    /// Reports that the sink accepted bytes, and dropped some of their records.
    ///
    /// - Returns: the batch's settlement if it is complete, and a notice.
    mutating func wrote(_ count: Int, drops: OutputDrops, now: Instant) -> (Settlement?, Notice?) {
        let notice = back(now: now)
        // Not `.stalled`: a sink that answers asynchronously has been blocked since.
        if notice != nil {
            link = .open(blocked: false)
            backoff.reset()
        }
        outgoing?.offset += count
        outgoing?.drops += drops
        guard let current = outgoing, current.offset >= current.batch.bytes.count else { return (nil, notice) }
        outgoing = nil
        let settlement = Settlement(
            bytes: current.batch.bytes.count,
            delivered: current.batch.records - current.drops.total,
            drops: current.drops
        )
        return (settlement, notice)
    }

    /// Reports that the written part of the current line is lost.
    mutating func restartLine() {
        if let current = outgoing { outgoing?.offset = current.startOfLine }
    }

    /// Reports that the sink accepts no bytes now.
    mutating func blocked() {
        link = .open(blocked: true)
    }

    /// Reports that a write failed, or that the reader disconnected.
    mutating func failed(_ failure: SinkFailure, now: Instant) -> Notice? {
        switch failure.recovery {
        case .never:
            link = .ended
            return .ended(failure.reason)
        case .retry:
            link = .stalled(retryAt: now + max(backoff.next(chance: chance()), failure.pause ?? .zero))
        case .reopen:
            // Connections that end soon must not be reopened in a tight loop.
            if let openedAt, now - openedAt >= backoff.maximum { backoff.reset() }
            if let current = outgoing, resumption == .wholeLine { outgoing?.offset = current.startOfLine }
            link = .down(retryAt: now + backoff.next(chance: chance()))
        }
        return away(failure.reason, now: now)
    }

    private mutating func away(_ reason: String, now: Instant) -> Notice? {
        guard awaySince == nil else { return nil }
        awaySince = now
        return .away(reason)
    }

    private mutating func back(now: Instant) -> Notice? {
        guard let since = awaySince else { return nil }
        awaySince = nil
        return .back(after: now - since)
    }
}
