import Datapath
import Export
import Synchronization

/// Knows when the records of a flush are written, and says so to the thread that reads the kernel.
///
/// Every output says when everything up to the flush is written, or dropped and counted. A file may take as long as it
/// likes, because a later run cuts it back to what is known to be written; an output whose reader is away must not keep the others from
/// that, so it is waited for only for a while.
final class CommitBoard: Sendable {
    private struct Pending {
        var flush: Datapath.Flush
        /// Outputs that have not said it yet.
        var files: Int
        var others: Int
        var deadline: Int64
    }

    private let pending = Mutex<Pending?>(nil)
    private let clock: @Sendable () -> Int64

    /// How long outputs that are no files are waited for, ns.
    static let patience: Int64 = 30_000_000_000

    /// Makes a board on which nothing stands.
    ///
    /// - Parameter clock: CLOCK_MONOTONIC, ns, and for tests any other.
    init(clock: @escaping @Sendable () -> Int64 = { Clock.monotonic }) {
        self.clock = clock
    }

    /// Asks the outputs to say when the records of a flush, which they have been given, are written.
    func expect(_ flush: Datapath.Flush, from outputs: [Output]) {
        let paths = outputs.map(\.specification.filePath)
        begin(flush, files: paths.count { $0 != nil }, others: paths.count { $0 == nil })
        for (output, path) in zip(outputs, paths) {
            output.mark { [self] in acknowledge(flush.epoch, path: path) }
        }
    }

    /// Begins to wait for outputs.
    func begin(_ flush: Datapath.Flush, files: Int, others: Int) {
        let deadline = clock() + Self.patience
        pending.withLock { $0 = Pending(flush: flush, files: files, others: others, deadline: deadline) }
    }

    /// Notes that an output has written everything up to the flush of an epoch.
    ///
    /// - Parameters:
    ///   - epoch: the number of the epoch.
    ///   - path: of the file that it writes to; nil if it writes to none.
    func acknowledge(_ epoch: UInt32, path: String?) {
        let file = path.flatMap { Datapath.FileMark(at: $0) }
        pending.withLock { pending in
            guard pending?.flush.epoch == epoch else { return }
            if path == nil { pending?.others -= 1 } else { pending?.files -= 1 }
            if let file { pending?.flush.files.append(file) }
        }
    }

    /// Takes the flush whose records are written; nil if there is none that was not taken.
    func take() -> Datapath.Flush? {
        pending.withLock { pending in
            guard let current = pending, current.files == 0, current.others == 0 || clock() >= current.deadline else {
                return nil
            }
            pending = nil
            return current.flush
        }
    }
}

extension OutputSpecification {
    /// The path of the file; nil if it is none.
    var filePath: String? {
        if case .file(let path) = self { path } else { nil }
    }
}

extension Datapath.Flush {
    /// Takes what the clocks said at the end of an epoch, and the files as they are now.
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
    /// The regular file at a path, as it is now; nil if there is none.
    init?(at path: String) {
        guard let file = WrittenFile(at: path) else { return nil }
        self.init(device: file.device, inode: file.inode, length: file.length)
    }
}

extension ClockReading {
    /// When a flush ended; nil if that lies in the future of these clocks, as after a start of the machine.
    init?(_ flush: Datapath.Flush) {
        let now = ClockReading.now
        guard flush.boot <= now.boot, flush.monotonic <= now.monotonic else { return nil }
        self.init(monotonic: flush.monotonic, boot: flush.boot, wall: flush.wall)
    }
}
