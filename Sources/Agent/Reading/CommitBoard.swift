import Datapath
import Export
import Synchronization

/// Tracks when the records of a flush are written, for the thread that reads the kernel.
///
/// Every output reports when everything up to the flush is written, or dropped and counted. The board waits for a file without
/// a limit, because a later run cuts it back to the noted length. It waits for another output only for a limited time, and then
/// not again until the output has reported: an output with an absent reader must not delay the others.
final class CommitBoard: Sendable {
    private struct Pending {
        var flush: Datapath.Flush
        /// Outputs to files that have not reported yet.
        var files: Set<ObjectIdentifier>
        var others: Set<ObjectIdentifier>
        var deadline: Int64
    }

    private struct State {
        var pending: Pending?
        /// New files of outputs, with their state at that time; no flush contains them yet.
        var added: [Datapath.FileMark] = []
        /// Whether flushes that begin contain them.
        var isAddedKnown = false
        /// Outputs that did not report in time, and have not reported since.
        var late: Set<ObjectIdentifier> = []
    }

    private let state = Mutex(State())
    private let clock: @Sendable () -> Int64
    private let wakeUp = WakeUp()

    /// The descriptor to poll: it is readable when an output has reported.
    var descriptor: Int32 { wakeUp.descriptor }

    /// The longest wait for outputs that are not files, ns.
    static let patience: Int64 = 30_000_000_000

    /// Creates an empty board.
    ///
    /// - Parameter clock: CLOCK_MONOTONIC, ns, or another clock for tests.
    init(clock: @escaping @Sendable () -> Int64 = { Clock.monotonic }) {
        self.clock = clock
    }

    /// Requests a report of each output when the records of a flush are written.
    func expect(_ flush: Datapath.Flush, from outputs: [Output]) {
        let deadline = clock() + Self.patience
        state.withLock { state in
            if state.isAddedKnown { (state.added, state.isAddedKnown) = ([], false) }
            state.pending = Pending(
                flush: flush,
                files: Set(outputs.filter { $0.specification.filePath != nil }.map(ObjectIdentifier.init)),
                others: Set(outputs.filter { $0.specification.filePath == nil }.map(ObjectIdentifier.init)),
                deadline: deadline
            )
        }
        for output in outputs {
            let (number, path) = (ObjectIdentifier(output), output.specification.filePath)
            output.mark { [self] in acknowledge(flush.epoch, number, path: path) }
        }
    }

    /// Notes that an output has written everything up to the flush of an epoch.
    ///
    /// - Parameters:
    ///   - epoch: the number of the epoch.
    ///   - output: the output.
    ///   - path: the path of the file that it writes to; nil if it writes to none.
    private func acknowledge(_ epoch: UInt32, _ output: ObjectIdentifier, path: String?) {
        let file = path.flatMap { Datapath.FileMark(at: $0) }
        state.withLock { state in
            state.late.remove(output)
            guard state.pending?.flush.epoch == epoch else { return }
            state.pending?.files.remove(output)
            state.pending?.others.remove(output)
            if let file { state.pending?.flush.files.append(file) }
        }
        wakeUp.signal()
    }

    /// Notes files that outputs will write to and that no earlier flush includes.
    func add(_ files: [Datapath.FileMark]) {
        state.withLock { state in
            state.added += files
            state.isAddedKnown = false
        }
    }

    /// Stops waiting for outputs that were closed: their records are written, or dropped and counted.
    func settle(_ closed: [Output]) {
        state.withLock { state in
            state.pending?.files.subtract(closed.map(ObjectIdentifier.init))
            state.pending?.others.subtract(closed.map(ObjectIdentifier.init))
            state.late.subtract(closed.map(ObjectIdentifier.init))
            state.isAddedKnown = true
        }
    }

    /// Takes the flush whose records are written; nil if there is none that was not taken.
    func take() -> Datapath.Flush? { take(isPatient: true) }

    /// Waits for the last flush of a run to be written.
    ///
    /// - Parameter limit: the longest wait for outputs.
    /// - Returns: the flush; nil if a file is not written.
    func waitForLast(atMost limit: Duration) -> Datapath.Flush? {
        let deadline = ContinuousClock.now + limit
        while true {
            if let flush = take() { return flush }
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero else { return take(isPatient: false) }
            wakeUp.wait(atMost: rest)
        }
    }

    private func take(isPatient: Bool) -> Datapath.Flush? {
        wakeUp.wait(atMost: .zero)
        return state.withLock { state in
            guard let current = state.pending, current.files.isEmpty else { return nil }
            let missing = current.others.subtracting(state.late)
            guard missing.isEmpty || !isPatient || clock() >= current.deadline else { return nil }
            state.late.formUnion(missing)
            state.pending = nil
            var flush = current.flush
            flush.files += state.added.filter { file in
                !flush.files.contains { $0.device == file.device && $0.inode == file.inode }
            }
            return flush
        }
    }
}

extension OutputSpecification {
    /// The path of the file; nil if the output is not a file.
    var filePath: String? {
        if case .file(let path) = self { path } else { nil }
    }
}

extension Datapath.Flush {
    /// Takes the reading of the clocks at the end of an epoch, and the present files.
    init(_ reading: ClockReading, epoch: UInt32, files paths: [String] = []) {
        self.init(
            epoch: epoch,
            monotonic: reading.monotonic,
            boot: reading.boot,
            wall: reading.wall,
            files: paths.compactMap { Datapath.FileMark(at: $0) }
        )
    }
}

extension Datapath.FileMark {
    /// The present state of the regular file at a path; nil if there is none.
    init?(at path: String) {
        guard let file = WrittenFile(at: path) else { return nil }
        self.init(device: file.device, inode: file.inode, length: file.length)
    }
}

extension ClockReading {
    /// The clocks at the end of a flush; nil if that is in the future of these clocks, as after a reboot.
    init?(_ flush: Datapath.Flush) {
        let now = ClockReading.now
        guard flush.boot <= now.boot, flush.monotonic <= now.monotonic else { return nil }
        self.init(monotonic: flush.monotonic, boot: flush.boot, wall: flush.wall)
    }
}
