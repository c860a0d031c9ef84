import Logging
import Posix

/// The thread of an output: performs the actions of a ``DeliveryMachine``.
struct OutputWorker {
    private let name: String
    private let channel: OutputChannel
    private let sink: any Sink
    private let keepsUnsent: Bool
    private let logger: Logger
    private let onClosed: @Sendable () -> Void
    private let spool: OutputSpool?
    private var machine: DeliveryMachine
    private var endedByItself = false
    private var outages = OutageLog()
    /// The rate limit for messages of the sink, which may have one for each batch.
    private var notices = RepetitionLimit()

    /// Takes a sink, which may already be open.
    init(
        name: String,
        channel: OutputChannel,
        sink: any Sink,
        isOpen: Bool,
        spool: OutputSpool? = nil,
        keepsUnsent: Bool = false,
        logger: Logger,
        onClosed: @escaping @Sendable () -> Void
    ) {
        self.name = name
        self.channel = channel
        self.sink = sink
        self.keepsUnsent = keepsUnsent
        self.logger = logger
        self.onClosed = onClosed
        self.spool = spool
        machine = DeliveryMachine(
            resumption: sink.resumption,
            isOpenWhenWritten: sink.isOpenWhenWritten,
            now: .now
        )
        if isOpen { report(machine.opened(now: .now)) }
    }

    /// Runs until a stop is requested or the sink ends permanently.
    mutating func run() {
        while step() {}
        let unread = endedByItself ? sink.unreadLines : 0
        sink.close(tornBytes: machine.tornBytes)
        channel.lose(sink.takeLost())
        let abandoned = machine.abandon()
        if let spool {
            spool.end(abandoned, channel)
            report(spool.takeNotices())
        } else if let abandoned {
            channel.settle(abandoned)
        }
        channel.takeBack(unread)
        logEnd(channel.close())
        if endedByItself { onClosed() }
    }

    private mutating func step() -> Bool {
        let now = ContinuousClock.now
        if let stopBy = channel.stopBy { machine.stop(by: stopBy) }
        if channel.takeReopening() { sink.reopen() }
        // The queue is small, so batches also move to the spool while the reader is disconnected.
        if let spool {
            spool.takeIn(channel)
            // Notices are reported here, because no batch is taken while the reader is disconnected.
            report(spool.takeNotices())
            if spool.isAllOnDisk { callMarks() }
        }
        switch machine.next(now: now) {
        case .take: take()
        case .open: open()
        case .giveUpOpening:
            sink.close(tornBytes: 0)
            openFailed("no answer within \(DeliveryMachine.openingLimit)")
        case .write: write()
        case .wait(let interest, let until): wait(interest, until: until)
        case .end: return false
        }
        channel.lose(sink.takeLost())
        // Producers that may wait do so also while the spool accepts batches.
        channel.note(isOpen: machine.isOpen || spool?.isTaking == true)
        return true
    }
}

// MARK: - Actions

extension OutputWorker {
    private func callMarks() {
        for body in channel.takeMarks() { body() }
    }

    private mutating func take() {
        guard let spool else {
            callMarks()
            return machine.took(channel.take())
        }
        let batch = spool.take(from: channel)
        machine.took(batch, lookAgain: spool.heldUntil)
    }

    private func settle(_ settlement: DeliveryMachine.Settlement) {
        guard let spool else { return channel.settle(settlement) }
        spool.settle(settlement, channel)
    }

    private mutating func open() {
        do {
            switch try sink.open() {
            case .ready:
                report(machine.opened(now: .now))
                channel.note(reconnects: machine.reconnects)
            case .pending: machine.openIsPending(now: .now)
            }
        } catch {
            sink.close(tornBytes: 0)
            openFailed(error.reason)
        }
    }

    private mutating func openFailed(_ reason: String) {
        _ = machine.openFailed(reason, now: .now)
        logOutage(outages.failed(reason, now: .now))
    }

    private mutating func write() {
        guard let bytes = machine.unwritten, let batch = machine.batch else { return }
        do {
            let outcome = try bytes.withUnsafeBufferPointer { bytes throws(SinkFailure) in
                try sink.write(UnsafeRawBufferPointer(bytes), of: batch)
            }
            switch outcome {
            case .blocked: machine.blocked()
            case .restartLine: machine.restartLine()
            case .accepted(let count, let drops):
                let (settlement, notice) = machine.wrote(count, drops: drops, now: .now)
                if let settlement { settle(settlement) }
                report(notice)
            }
        } catch {
            fail(error)
        }
        for notice in sink.takeNotices() {
            guard let heldBack = notices.admit(now: .now) else { continue }
            logger.warning("\(notice)", metadata: metadata(heldBack: heldBack))
        }
    }

    private mutating func wait(_ interest: DeliveryMachine.Interest, until: ContinuousClock.Instant?) {
        let entry = sink.pollEntry(for: interest)
        let outcome = PollEntry.wait(for: channel.wakeup.pollEntry, and: entry, until: until)
        if outcome.isWoken {
            channel.wakeup.clear()
            machine.woken()
        }
        if outcome.isHungUp, interest != .opening, let failure = sink.hangUp() {
            fail(failure)
        } else if outcome.isReady || outcome.isHungUp {
            machine.sinkIsReady()
        }
    }

    private mutating func fail(_ failure: SinkFailure) {
        if failure.recovery == .reopen { sink.close(tornBytes: 0) }
        let notice = machine.failed(failure, now: .now)
        guard failure.recovery == .never else { return logOutage(outages.failed(failure.reason, now: .now)) }
        endedByItself = true
        report(notice)
    }
}

// MARK: - Logging

extension OutputWorker {
    private func logEnd(_ statistics: OutputStatistics) {
        let left = keepsUnsent ? statistics.drops.unsent : 0
        let dropped = statistics.dropped - left
        var metadata: Logger.Metadata = [
            "output": "\(name)", "delivered": "\(statistics.delivered)", "dropped": "\(dropped)",
            "passed_over": "\(statistics.passedOver)",
            "reconnects": "\(statistics.reconnects)", "waiting": "\(statistics.queued)",
        ]
        if left > 0 { metadata["left_for_the_next_run"] = "\(left)" }
        logger.log(level: dropped == 0 ? .info : .error, "output closed", metadata: metadata)
    }

    /// Logs messages of the spool.
    private func report(_ notices: [String]) {
        for notice in notices { logger.error("\(notice)", metadata: ["output": "\(name)"]) }
    }

    private mutating func report(_ notice: DeliveryMachine.Notice?) {
        switch notice {
        // Failures, also later ones of an outage, are logged where their reason is known.
        case nil, .away: break
        case .opened: logger.info("output open", metadata: metadata())
        case .back(let duration):
            guard outages.ended() else { return }
            let seconds = max(1, duration.components.seconds)
            logger.info("output is back", metadata: metadata(["away": "\(seconds)s"]))
        case .ended(let reason): logger.error("output ended", metadata: metadata(["reason": "\(reason)"]))
        }
    }

    private func logOutage(_ message: OutageLog.Message?) {
        guard let message else { return }
        logger.warning(
            message.isFirst
                ? "output is unavailable; its records wait in its queue and delivery is retried"
                : "output is still unavailable, now for another reason",
            metadata: metadata(["reason": "\(message.reason)"], heldBack: message.heldBack)
        )
    }

    private func metadata(_ more: Logger.Metadata = [:], heldBack: Int = 0) -> Logger.Metadata {
        var all = more
        all["output"] = "\(name)"
        if heldBack > 0 { all["held_back"] = "\(heldBack)" }
        return all
    }
}
