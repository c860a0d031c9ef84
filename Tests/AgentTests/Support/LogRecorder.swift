import Logging
import Synchronization

/// Keeps log messages: a line for each, `LEVEL MESSAGE KEY=VALUE…` with the keys in order.
final class LogRecorder: Sendable {
    private let lines = Mutex<[String]>([])

    /// Returns the lines that were logged since the last call.
    func take() -> [String] {
        lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }

    /// Whether a line that was not taken yet has a text in it.
    func has(_ text: String) -> Bool {
        lines.withLock { $0.contains { $0.contains(text) } }
    }

    var logger: Logger { logger(at: .info) }

    /// A logger for messages of a level and above.
    func logger(at level: Logger.Level) -> Logger {
        Logger(label: "test") { _ in Handler(recorder: self, logLevel: level) }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level

        init(recorder: LogRecorder, logLevel: Logger.Level) {
            self.recorder = recorder
            self.logLevel = logLevel
        }

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let line = (["\(event.level)", "\(event.message)"] + fields).joined(separator: " ")
            recorder.lines.withLock { $0.append(line) }
        }
    }
}
