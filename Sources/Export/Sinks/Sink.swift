import Posix

/// The last stage of an output: accepts bytes, and never waits.
///
/// Used by one thread at a time: the thread that creates it, then the output's thread.
protocol Sink: AnyObject {
    /// The place where writing continues after the sink is reopened.
    var resumption: SinkResumption { get }

    /// Starts or continues to open.
    func open() throws(SinkFailure) -> SinkProgress

    /// Writes as many bytes as possible without waiting.
    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite

    /// Does the same, with the batch of the bytes, for sinks that send identifiers of records.
    func write(_ bytes: UnsafeRawBufferPointer, of batch: RecordBatch) throws(SinkFailure) -> SinkWrite

    /// The descriptor to poll for an interest; nil if there is none.
    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry?

    /// Whether only a successful write shows that an open sink works again after a failure.
    var isOpenWhenWritten: Bool { get }

    /// Checks the cause of an error or a hang-up of the descriptor; returns the failure, nil for none.
    func hangUp() -> SinkFailure?

    /// Returns and resets the accepted records that are lost, as far as known.
    func takeLost() -> OutputDrops

    /// Requests that a file is reopened before the next line, because it may have been moved.
    func reopen()

    /// Returns and removes the messages to log for the operator.
    func takeNotices() -> [String]

    /// The number of written lines that no reader will read, as far as known.
    var unreadLines: Int { get }

    /// Closes the sink; it may be opened again.
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

/// The place where writing continues after a sink is reopened.
enum SinkResumption {
    /// At the byte where it stopped: the sink still has the earlier bytes.
    case sameByte
    /// At the beginning of the incomplete line: a new reader must not receive half of it.
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
    /// This number of bytes is processed; some of their records, or as many earlier records, may have been dropped.
    case accepted(Int, drops: OutputDrops = OutputDrops())
    /// No bytes were accepted; poll and try again.
    case blocked
    /// No bytes were accepted, and the written part of the current line is lost; the line must be written again.
    case restartLine
}

/// The reason why a sink cannot continue, and how to recover.
struct SinkFailure: Error, Equatable {
    /// The recovery.
    enum Recovery {
        /// Write again later; the sink stays open.
        case retry
        /// Close the sink, and open it again later.
        case reopen
        /// Recovery is not possible.
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
