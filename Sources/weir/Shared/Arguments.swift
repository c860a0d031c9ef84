public import ArgumentParser
public import Datapath
public import FlowModel
public import Logging
import Settings

/// A duration as written by an operator: `500ms`, `10s`, `5m`, `1h`; a bare number is seconds.
struct TimeArgument: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration
    let description: String

    /// Creates a default value.
    init(seconds: Int64) {
        duration = .seconds(seconds)
        description = "\(seconds)s"
    }

    init?(argument: String) {
        try? self.init(parsing: argument)
    }

    /// Parses a duration.
    init(parsing text: String) throws {
        guard let milliseconds = Setting.milliseconds(text) else {
            throw ValidationError("'\(text)' is no time; write it like 500ms, 10s, 5m or 1h")
        }
        duration = .milliseconds(milliseconds)
        description = text
    }

    var defaultValueDescription: String { description }
}

/// An amount of memory as written by an operator: `256M`, `1G`, `300MiB`; a bare number is bytes.
struct SizeArgument: ExpressibleByArgument, CustomStringConvertible {
    let bytes: Int

    /// Creates a default value.
    init(bytes: Int) {
        self.bytes = bytes
    }

    init?(argument: String) {
        guard let bytes = Setting.bytes(argument) else { return nil }
        self.bytes = bytes
    }

    var description: String { bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes)" }

    var defaultValueDescription: String { description }
}

extension AttachMode: ExpressibleByArgument {}

extension AggregationLevel: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
