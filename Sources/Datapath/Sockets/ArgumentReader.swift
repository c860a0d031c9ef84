import CWeir
import Glibc
import Posix
import Synchronization

/// Reads the arguments of living processes from `/proc/PID/cmdline`, on a thread of its own.
///
/// Such a read may block without limit: the kernel needs the lock of the process's memory, for which all threads of the process
/// may queue. A scan waits for each answer for ten milliseconds at most, and only if no other read is under way; ``LookupTime``
/// bounds all waits together. Later answers are kept for the next report of the process.
final class ArgumentReader {
    /// The result of a request.
    enum Answer: Equatable {
        /// The first bytes of the arguments; each argument ends with 0. Nil if the process has ended or has none.
        case read([UInt8]?)
        /// They are not read yet; ask again.
        case late
    }

    private static let patience = Duration.milliseconds(10)

    private let requests: ArgumentRequests
    private var time = LookupTime()

    /// Creates a reader; its thread runs while there are requests.
    ///
    /// - Parameter read: reads the arguments of a process.
    /// - Throws: ``DatapathError`` if there is no descriptor for waiting.
    init(read: @escaping @Sendable (ProcessIdentity) -> [UInt8]? = { $0.arguments }) throws(DatapathError) {
        requests = try ArgumentRequests(read: read)
    }

    /// Requests the arguments of a process.
    func arguments(of process: ProcessIdentity) -> Answer {
        if let answer = requests.take(process) { return answer }
        guard requests.add(process) else { return .late }
        let (requests, deadline) = (requests, ContinuousClock.now + Self.patience)
        return time.run { requests.wait(for: process, until: deadline) } ?? .late
    }
}

/// Identifies a process, although process numbers are used again.
struct ProcessIdentity: Hashable, Sendable {
    /// The PID in the initial PID namespace.
    let number: UInt32
    /// The time of its start, ns since boot.
    let start: UInt64

    /// The process that owns a socket.
    init(_ owner: weir_socket_owner) { (number, start) = (owner.process, owner.start) }

    /// Whether the process is alive, and has not been replaced by another one with its number.
    var isAlive: Bool {
        guard let bytes = ProcessFile.bytes("/proc/\(number)/stat", atMost: 1024) else { return false }
        // proc(5): the name, in parentheses, is the second field and may contain any byte; the start is the 22nd, in ticks.
        guard let name = bytes.lastIndex(of: UInt8(ascii: ")")) else { return false }
        let fields = bytes[name...].split(separator: UInt8(ascii: " "))
        guard fields.count > 20, let start = UInt64(String(decoding: fields[20], as: UTF8.self)) else { return false }
        return start == self.start / (1_000_000_000 / UInt64(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// The beginning of its arguments, which may block; nil if it has ended or has none.
    var arguments: [UInt8]? {
        let bytes = ProcessFile.bytes("/proc/\(number)/cmdline", atMost: Int(WEIR_PROCESS_TEXT))
        return isAlive ? bytes : nil
    }
}

/// Files of `/proc`.
enum ProcessFile {
    /// Reads the beginning of a file; nil if it cannot be read, or is empty.
    static func bytes(_ path: String, atMost limit: Int) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe read(file, &bytes, limit)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }
}

/// The requests and the answers, for both threads.
private final class ArgumentRequests: Sendable {
    private struct State {
        /// The processes whose arguments are read or wait to be, in order.
        var waiting: [ProcessIdentity] = []
        var answers: [ProcessIdentity: [UInt8]?] = [:]
    }

    /// The most requests that wait, and answers that are kept.
    private static let limit = 64

    private let state = Mutex(State())
    private let answered: Wakeup
    private let read: @Sendable (ProcessIdentity) -> [UInt8]?

    init(read: @escaping @Sendable (ProcessIdentity) -> [UInt8]?) throws(DatapathError) {
        self.read = read
        do throws(SystemError) {
            answered = try Wakeup()
        } catch {
            throw .system(operation: "wait for arguments of processes", errno: error.code, advice: "")
        }
    }

    /// Takes the answer to an earlier request; nil if there is none.
    func take(_ process: ProcessIdentity) -> ArgumentReader.Answer? {
        state.withLock { $0.answers.removeValue(forKey: process) }.map { .read($0) }
    }

    /// Adds a request; false if others wait, so that its answer will be late.
    func add(_ process: ProcessIdentity) -> Bool {
        let isFirst = state.withLock { state in
            guard state.waiting.count < Self.limit, !state.waiting.contains(process) else { return false }
            state.waiting.append(process)
            return state.waiting.count == 1
        }
        guard isFirst else { return false }
        do throws(SystemError) {
            try WorkerThread.start("weir-arguments") { [self] in work() }
            return true
        } catch {
            // Without a thread the requests fail.
            state.withLock { $0.waiting = [] }
            return false
        }
    }

    /// Waits for an answer, and takes it; nil if it is late.
    func wait(for process: ProcessIdentity, until deadline: ContinuousClock.Instant) -> ArgumentReader.Answer? {
        repeat {
            answered.clear()
            if let answer = take(process) { return answer }
            _ = PollEntry.wait(for: answered.pollEntry, and: nil, until: deadline)
        } while ContinuousClock.now < deadline
        return take(process)
    }

    /// Reads the arguments of all processes that wait; the thread ends then.
    private func work() {
        var next = state.withLock { $0.waiting.first }
        while let process = next {
            let arguments = read(process)
            next = state.withLock { state in
                if state.answers.count >= Self.limit { state.answers = [:] }
                state.answers[process] = .some(arguments)
                state.waiting.removeFirst()
                return state.waiting.first
            }
            answered.signal()
        }
    }
}
