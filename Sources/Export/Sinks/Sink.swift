import Posix

/// The last step of an output: accepts bytes, and never waits.
///
/// Used by one thread at a time: the thread that makes it, then the output's thread.
protocol Sink: AnyObject {
    /// The place where writing continues after the sink was reopened.
    var resumption: SinkResumption { get }

    /// Starts or continues to open.
    func open() throws(SinkFailure) -> SinkProgress

    /// Writes as many bytes as possible without waiting.
    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite

    /// The same, with the batch of the bytes, for a sink that sends identifiers of records.
    func write(_ bytes: UnsafeRawBufferPointer, of batch: RecordBatch) throws(SinkFailure) -> SinkWrite

    /// The descriptor to poll for an interest; nil if there is none.
    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry?

    /// Whether an open sink shows only by what is written to it that it works again after a failure.
    var isOpenWhenWritten: Bool { get }

    /// Looks what an error or a hang-up of the descriptor means; the failure, nil for none.
    func hangUp() -> SinkFailure?

    /// Takes the records that were accepted before, and are lost as far as known, since the last call.
    func takeLost() -> OutputDrops

    /// Requests that a file is reopened before the next line, in case that it was moved.
    func reopen()

    /// Takes the messages to log for the operator since the last call.
    func takeNotices() -> [String]

    /// The number of written lines that no reader will read any more, as far as known.
    var unreadLines: Int { get }

    /// Closes; the sink may be opened again.
    ///
    /// - Parameter tornBytes: the number of bytes of an incomplete line that were written last.
    func close(tornBytes: Int)
}

extension Sink {
    var unreadLines: Int { 0 }

    var isOpenWhenWritten: Bool { false }

    func takeLost() -> OutputDrops { OutputDrops() }

    func write(_ bytes: UnsafeRawBufferPointer, of batch: RecordBatch) throws(SinkFailure) -> SinkWrite {
        try write(bytes)
    }

    func reopen() {}

    func takeNotices() -> [String] { [] }
}

/// The place where writing continues after a sink was reopened.
enum SinkResumption {
    /// At the byte where it stopped: the sink still has the bytes before.
    case sameByte
    /// At the beginning of the incomplete line: a new reader must not see half of it.
    case wholeLine
}

/// The progress of opening.
enum SinkProgress {
    /// Open.
    case ready
    /// Not open yet; poll and continue.
    case pending
}

/// The result of a write.
enum SinkWrite: Equatable {
    /// This number of bytes is done; some of their records, or as many earlier records, may have been dropped.
    case accepted(Int, drops: OutputDrops = OutputDrops())
    /// No bytes were accepted; poll and try again.
    case blocked
    /// No bytes were accepted, and the written part of the current line is lost: write the line again.
    case restartLine
}

/// The reason why a sink cannot continue, and the recovery.
struct SinkFailure: Error, Equatable {
    /// The recovery.
    enum Recovery {
        /// Write again later: the sink stays open.
        case retry
        /// Close the sink, and open it again later.
        case reopen
        /// Nothing.
        case never
    }

    /// The failure and its reason, for the log.
    let reason: String
    /// The recovery.
    let recovery: Recovery
    /// Advice for the operator; empty for none.
    let advice: String

    /// The minimum pause before the next attempt; nil for none.
    let pause: Duration?

    /// Takes all members.
    init(_ reason: String, _ recovery: Recovery, advice: String = "", pause: Duration? = nil) {
        self.reason = reason
        self.recovery = recovery
        self.advice = advice
        self.pause = pause
    }

    /// Takes a system call's failure.
    init(_ error: SystemError, _ recovery: Recovery) {
        self.init(error.description, recovery)
    }
}
