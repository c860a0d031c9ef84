/// What an output does next: connect, write, wait, start again, stop.
///
/// Pure: it performs nothing and reads no clock. The driver (``OutputWorker``) asks ``next(now:)``, performs the
/// action, and reports what came of it.
struct DeliveryMachine {
    /// Instants of the clock that the driver passes in.
    typealias Instant = ContinuousClock.Instant

    /// What the driver is to do.
    enum Action: Equatable {
        /// Take the next batch from the queue, and report ``took(_:)``.
        case take
        /// Begin or continue to open the sink.
        case open
        /// Close a sink that did not open in time, and report ``openFailed(_:now:)``.
        case giveUpOpening
        /// Write ``DeliveryMachine/unwritten``.
        case write
        /// Wait until the interest is met, somebody wakes the driver, or the time has come.
        case wait(Interest, until: Instant?)
        /// Close the sink and stop.
        case end
    }

    /// What of the sink a wait is about.
    enum Interest: Equatable {
        /// Nothing: there is no open sink, or it is left alone.
        case nothing
        /// That opening can go on.
        case opening
        /// That it takes bytes again.
        case writing
        /// That its reader goes away.
        case hangUp
    }

    /// Something that an operator should read once.
    enum Notice: Equatable {
        /// Open for the first time.
        case opened
        /// Not usable, and why; attempts go on.
        case away(String)
        /// Usable again, after so long.
        case back(after: Duration)
        /// Ended for good, and why.
        case ended(String)
    }

    /// What became of a batch.
    struct Settlement: Equatable {
        /// The batch's size.
        var bytes: Int
        /// Its records that the kernel took over whole.
        var delivered: Int
        /// Its records that it did not.
        var drops = OutputDrops()
    }

    private enum Link {
        case down(retryAt: Instant)
        case opening(giveUpAt: Instant, ready: Bool)
        case open(blocked: Bool)
        case stalled(retryAt: Instant)
        case ended
    }

    /// The longest time that opening may take.
    static let openingLimit = Duration.seconds(10)

    private let resumption: SinkResumption
    private let chance: () -> Double
    private var backoff: Backoff
    private var link: Link
    private var outgoing: Outgoing?
    private var queueMayHaveMore = true
    private var stopBy: Instant?
    private var openedAt: Instant?
    private var awaySince: Instant?
    /// How often the sink was opened again after it had been open.
    private(set) var reconnects = 0

    /// Whether the sink is there and takes bytes, now or when its reader has read some.
    ///
    /// A server that failed is not there until it has taken something again.
    var isOpen: Bool {
        if case .open = link { return awaySince == nil }
        return false
    }

    /// Begins with a closed sink, to be opened at once.
    init(
        resumption: SinkResumption,
        now: Instant,
        backoff: Backoff = Backoff(),
        chance: @escaping () -> Double = { Double.random(in: 0...1) }
    ) {
        self.resumption = resumption
        self.backoff = backoff
        self.chance = chance
        link = .down(retryAt: now)
    }

    /// What to do now.
    func next(now: Instant) -> Action {
        if case .ended = link { return .end }
        if let stopBy, now >= stopBy { return .end }
        if outgoing == nil, queueMayHaveMore { return .take }
        if outgoing == nil, stopBy != nil { return .end }
        switch link {
        case .ended: return .end
        case .down(let retryAt):
            return now >= retryAt ? .open : .wait(.nothing, until: earlier(retryAt))
        case .opening(let giveUpAt, let ready):
            if ready { return .open }
            return now >= giveUpAt ? .giveUpOpening : .wait(.opening, until: earlier(giveUpAt))
        case .stalled(let retryAt):
            guard now < retryAt else { return outgoing == nil ? .wait(.hangUp, until: stopBy) : .write }
            return .wait(.nothing, until: earlier(retryAt))
        case .open(let blocked):
            guard outgoing != nil else { return .wait(.hangUp, until: stopBy) }
            return blocked ? .wait(.writing, until: stopBy) : .write
        }
    }

    private func earlier(_ instant: Instant) -> Instant {
        stopBy.map { min($0, instant) } ?? instant
    }
}

// MARK: - Queue

extension DeliveryMachine {
    /// The batch being written and how far it is.
    private struct Outgoing {
        let batch: RecordBatch
        var offset = 0
        var drops = OutputDrops()

        /// Where the line begins that is not completely written.
        var startOfLine: Int {
            batch.bytes[..<offset].lastIndex(of: newline).map { $0 + 1 } ?? 0
        }
    }

    /// The bytes of the current batch that are still to be written, and nil without a batch.
    var unwritten: ArraySlice<UInt8>? {
        outgoing.map { $0.batch.bytes[$0.offset...] }
    }

    /// The current batch; nil without one.
    var batch: RecordBatch? { outgoing?.batch }

    /// The driver took a batch from the queue, or found it empty.
    mutating func took(_ batch: RecordBatch?) {
        queueMayHaveMore = batch != nil
        outgoing = batch.map { Outgoing(batch: $0) }
    }

    /// Somebody woke the driver: the queue may have more.
    mutating func woken() {
        queueMayHaveMore = true
    }

    /// Nothing more is submitted: what is held may be written until then.
    mutating func stop(by instant: Instant) {
        // What was submitted just before is in the queue, even if it was found empty a moment ago.
        if stopBy == nil { queueMayHaveMore = true }
        stopBy = earlier(instant)
    }

    /// Gives up the current batch; nil without one.
    mutating func abandon() -> Settlement? {
        guard let given = outgoing else { return nil }
        outgoing = nil
        let whole = given.batch.bytes[..<given.offset].reduce(0) { $0 + ($1 == newline ? 1 : 0) }
        let delivered = max(0, min(whole, given.batch.records) - given.drops.total)
        var drops = given.drops
        drops.unsent += given.batch.records - delivered - drops.total
        return Settlement(bytes: given.batch.bytes.count, delivered: delivered, drops: drops)
    }

    /// How many bytes of a line were written without its end.
    var tornBytes: Int {
        outgoing.map { $0.offset - $0.startOfLine } ?? 0
    }
}

/// What ends a line.
private let newline = UInt8(ascii: "\n")

// MARK: - Sink

extension DeliveryMachine {
    /// The sink began to open and will say when it can go on.
    mutating func openIsPending(now: Instant) {
        if case .opening(let giveUpAt, _) = link {
            link = .opening(giveUpAt: giveUpAt, ready: false)
        } else {
            link = .opening(giveUpAt: now + Self.openingLimit, ready: false)
        }
    }

    /// The sink is open.
    mutating func opened(now: Instant) -> Notice? {
        if openedAt != nil { reconnects += 1 }
        let first = openedAt == nil
        openedAt = now
        link = .open(blocked: false)
        return back(now: now) ?? (first ? .opened : nil)
    }

    /// The sink did not open.
    mutating func openFailed(_ reason: String, now: Instant) -> Notice? {
        link = .down(retryAt: now + backoff.next(chance: chance()))
        return away(reason, now: now)
    }

    /// What was waited for is there.
    mutating func sinkIsReady() {
        switch link {
        case .opening(let giveUpAt, _): link = .opening(giveUpAt: giveUpAt, ready: true)
        case .open: link = .open(blocked: false)
        case .down, .stalled, .ended: break
        }
    }

    /// The sink took bytes, and dropped some records among them for reasons of its own.
    ///
    /// - Returns: the batch's settlement if that was its end, and a notice.
    mutating func wrote(_ count: Int, drops: OutputDrops, now: Instant) -> (Settlement?, Notice?) {
        let notice = back(now: now)
        // Not by the link: a sink that answers later was blocked in between.
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

    /// What was written of the line at hand is gone.
    mutating func restartLine() {
        if let current = outgoing { outgoing?.offset = current.startOfLine }
    }

    /// The sink takes nothing now.
    mutating func blocked() {
        link = .open(blocked: true)
    }

    /// A write failed, or the reader is gone.
    mutating func failed(_ failure: SinkFailure, now: Instant) -> Notice? {
        switch failure.recovery {
        case .never:
            link = .ended
            return .ended(failure.reason)
        case .retry:
            link = .stalled(retryAt: now + max(backoff.next(chance: chance()), failure.pause ?? .zero))
        case .reopen:
            // A connection that lasted was a good one; one that did not must not be made again in a tight loop.
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
