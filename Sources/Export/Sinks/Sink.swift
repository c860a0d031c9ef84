import Posix

/// The last step of an output: takes bytes, never waits.
///
/// Used by one thread at a time: the one that makes it, then the output's own.
protocol Sink: AnyObject {
    /// Where to go on after the sink was opened again.
    var resumption: SinkResumption { get }

    /// Begins to open, or goes on with it.
    func open() throws(SinkFailure) -> SinkProgress

    /// Writes as much as goes without waiting.
    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite

    /// The same with the batch that the bytes are of, for a sink that names records.
    func write(_ bytes: UnsafeRawBufferPointer, of batch: RecordBatch) throws(SinkFailure) -> SinkWrite

    /// What to poll for an interest; nil where there is nothing to poll for.
    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry?

    /// What it means that the sink's descriptor reports an error or a hang-up; nil: nothing.
    var hangUp: SinkFailure? { get }

    /// Asks a sink that others may move away to open its place anew, before the next line.
    func reopen()

    /// What an operator should read once, since the last call.
    func takeNotices() -> [String]

    /// Lines that were written and that nobody is there to read any more, as far as that is known.
    var unreadLines: Int { get }

    /// Closes; the sink may be opened again.
    ///
    /// - Parameter tornBytes: how many bytes of an unfinished line were written last.
    func close(tornBytes: Int)
}

extension Sink {
    var unreadLines: Int { 0 }

    func write(_ bytes: UnsafeRawBufferPointer, of batch: RecordBatch) throws(SinkFailure) -> SinkWrite {
        try write(bytes)
    }

    func reopen() {}

    func takeNotices() -> [String] { [] }
}

/// Where writing goes on after a sink was opened again.
enum SinkResumption {
    /// At the byte where it stopped: the sink still has what it was given.
    case sameByte
    /// At the beginning of the line that was not complete: a new reader must not see half of it.
    case wholeLine
}

/// How far opening is.
enum SinkProgress {
    /// Open.
    case ready
    /// Not yet; poll and go on.
    case pending
}

/// What came of a write.
enum SinkWrite: Equatable {
    /// So many bytes are done with; of the records in them, or as many before, some may have been dropped.
    case accepted(Int, drops: OutputDrops = OutputDrops())
    /// None; poll and try again.
    case blocked
    /// None, and the beginning of the line at hand is gone: it is to be written again.
    case restartLine
}

/// Why a sink cannot go on, and what helps.
struct SinkFailure: Error, Equatable {
    /// What may help.
    enum Recovery {
        /// Writing again later: the sink stays open.
        case retry
        /// Closing it and opening it anew later.
        case reopen
        /// Nothing.
        case never
    }

    /// What failed and why, for a log.
    let reason: String
    /// What may help.
    let recovery: Recovery
    /// What an operator can do about it; empty where nothing is known.
    let advice: String

    /// How long it is of no use to try again at least; nil where nobody said so.
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
