import ClusterModel
import Glibc
package import Logging
import Synchronization

/// Writes the program's log: a line for each message, `TIME LEVEL MESSAGE KEY=VALUE…`.
///
/// The message comes first, so that lines can be read and searched by it; fields follow in the order of their keys, in quotes
/// where a value has spaces. Control characters are escaped: text from outside cannot make a line of its own.
package struct LineLogHandler: LogHandler {
    private static let standardError = LogWriter(STDERR_FILENO)

    /// The least severe level that is written: the handler's own if it was set, else the shared level.
    package var logLevel: Logger.Level {
        get { ownLevel ?? threshold?.level ?? .info }
        set { ownLevel = newValue }
    }
    /// Fields of every line.
    package var metadata: Logger.Metadata = [:]

    private var ownLevel: Logger.Level?
    private let threshold: LogThreshold?
    private let writer: LogWriter

    /// Writes to standard error.
    ///
    /// - Parameter threshold: the level that the handler shares with others, and that may change; nil for `info`.
    package init(threshold: LogThreshold? = nil) {
        self.threshold = threshold
        writer = Self.standardError
    }

    /// A field of every line.
    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a line.
    package func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = Self.line(event.level, "\(event.message)", fields, at: Clock.wall)
        writer.write(Self.isJournal ? "<\(event.level.priority)>\(line)" : line)
    }

    /// Whether systemd's journal reads standard error (JOURNAL_STREAM of systemd.exec(5)).
    private static let isJournal: Bool = {
        var status = stat()
        guard let stream = getenv("JOURNAL_STREAM"), fstat(STDERR_FILENO, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }()

    /// The line of a message, without its end.
    ///
    /// - Parameters:
    ///   - level: the severity.
    ///   - message: the event.
    ///   - fields: the details.
    ///   - time: the time, ns since 1970.
    /// - Returns: the text.
    static func line(_ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, at time: Int64) -> String {
        var line = "\(timestamp(time)) \(level) \(message.printable)"
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += " \(key.printable)=\(quoted("\(value)".printable))"
        }
        return line
    }

    private static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.utf8.contains(where: { $0 == 0x20 || $0 == 0x22 }) else { return value }
        return "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
    }

    /// `2026-11-28T15:01:19.123Z` (RFC 3339).
    private static func timestamp(_ nanoseconds: Int64) -> String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: Int32, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        let time = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        return "\(date)T\(time).\(digits(Int32(nanoseconds / 1_000_000 % 1000), 3))Z"
    }
}

extension Logger.Level {
    /// The level as a priority of syslog (sd-daemon(3)), for `journalctl -p warning`.
    fileprivate var priority: Int32 {
        switch self {
        case .trace, .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .notice: LOG_NOTICE
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        case .critical: LOG_CRIT
        }
    }
}

/// The least severe level of a program's log, which may change while it runs.
package final class LogThreshold: Sendable {
    private let value: Mutex<Logger.Level>

    /// Creates a threshold with a level.
    package init(_ level: Logger.Level) {
        value = Mutex(level)
    }

    /// The level.
    package var level: Logger.Level {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}

/// Writes lines to a descriptor, one thread at a time.
///
/// A line waits only briefly for a reader that does not read: then it is left out, and the next written line contains the
/// number of lines that were left out.
final class LogWriter: Sendable {
    /// The longest time that a line waits for a reader, ms.
    private static let patience: Int32 = 100
    /// `PIPE_BUF`: a pipe that is reported writable accepts this much without blocking.
    private static let piece = 4096

    private let descriptor: Int32
    private let leftOut = Mutex(0)

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Writes a line and its end.
    func write(_ line: String) {
        leftOut.withLock { leftOut in
            let notice = leftOut == 0 ? "" : "\(leftOut) lines of the log were left out: their reader did not keep up\n"
            guard put(notice + line + "\n") else {
                leftOut += 1
                return
            }
            leftOut = 0
        }
    }

    /// Writes a text; false if the reader does not accept its beginning.
    private func put(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, Self.patience) > 0 else { return false }
            let written = rest.prefix(Self.piece).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR || errno == EAGAIN { continue }
            // A closed descriptor, or one whose reader is gone, counts as written.
            guard written > 0 else { return true }
            rest = rest.dropFirst(written)
        }
        return true
    }
}
