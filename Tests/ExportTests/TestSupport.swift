import Export
import Glibc
import Logging
import Synchronization

/// Numbered lines of one length, so that a test detects lines that are missing, torn or out of order.
enum NumberedLines {
    static let length = 1000

    static func line(_ number: Int) -> [UInt8] {
        let head = Array("line \(number) ".utf8)
        return head + [UInt8](repeating: UInt8(ascii: "x"), count: length - head.count - 1) + [UInt8(ascii: "\n")]
    }

    static func batch(_ numbers: Range<Int>) -> RecordBatch {
        RecordBatch(bytes: numbers.flatMap(line), records: numbers.count)
    }

    /// The numbers of the whole lines in received bytes; nil if a whole line is not one of these.
    static func numbers(in bytes: [UInt8]) -> [Int]? {
        var numbers: [Int] = []
        var start = 0
        while start + length <= bytes.count {
            let digits = bytes[(start + 5)...].prefix { $0 != UInt8(ascii: " ") }
            guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
            guard Array(bytes[start..<(start + length)]) == line(number) else { return nil }
            numbers.append(number)
            start += length
        }
        return numbers
    }
}

/// Keeps the messages that were logged.
final class LogRecorder: Sendable {
    private let messages = Mutex<[(text: String, time: ContinuousClock.Instant)]>([])

    var logger: Logger {
        Logger(label: "test") { _ in Handler(recorder: self) }
    }

    /// All messages, for the comments of failed tests.
    var messagesText: String { messages.withLock { $0.map(\.text).joined(separator: "\n") } }

    func count(_ text: String) -> Int {
        messages.withLock { $0.count { $0.text.contains(text) } }
    }

    /// Returns the time from an instant to the end of the output's thread.
    ///
    /// By its own last message: the end of `await` also waits for a thread of the pool, which other tests may hold.
    func closed(after start: ContinuousClock.Instant) -> Duration? {
        guard eventually({ count("output closed") == 1 }) else { return nil }
        return messages.withLock { $0.last { $0.text.contains("output closed") }.map { $0.time - start } }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let text = "\(event.message) \(event.metadata ?? [:])"
            recorder.messages.withLock { $0.append((text, .now)) }
        }
    }
}

/// Waits until a condition is met, for a minute at most.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while !condition() {
        guard ContinuousClock.now < deadline else { return false }
        usleep(1000)
    }
    return true
}

/// A new folder that goes away with the test.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/weir-export-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit {
        remove()
    }

    /// Removes the folder in a process that exits without an end of scope.
    func remove() {
        for name in ["log", "socket", "torn", "link", "fifo", "open/name", "open/target"] { unlink("\(path)/\(name)") }
        rmdir("\(path)/open")
        rmdir(path)
    }

    func write(_ text: String, to name: String) {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        close(file)
    }

    func read(_ name: String) -> [UInt8] {
        let file = open("\(path)/\(name)", O_RDONLY)
        defer { close(file) }
        return readToEnd(file)
    }
}

/// Reads a descriptor until its end.
func readToEnd(_ descriptor: Int32) -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return all }
        all += chunk[..<count]
    }
}
