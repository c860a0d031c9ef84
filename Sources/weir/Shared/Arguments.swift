public import ArgumentParser
public import Datapath
public import FlowModel
public import Logging

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
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let value = Int64(digits), value > 0, value <= 1_000_000 else { throw Self.unreadable(text) }
        switch text.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(value)
        case "s", "": duration = .seconds(value)
        case "m": duration = .seconds(value * 60)
        case "h": duration = .seconds(value * 3_600)
        default: throw Self.unreadable(text)
        }
        description = text
    }

    private static func unreadable(_ text: String) -> ValidationError {
        ValidationError("'\(text)' is no time; write it like 500ms, 10s, 5m or 1h")
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
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let unit: Int
        switch argument.dropFirst(digits.count) {
        case "": unit = 1
        case "K", "Ki", "KiB": unit = 1 << 10
        case "M", "Mi", "MiB": unit = 1 << 20
        case "G", "Gi", "GiB": unit = 1 << 30
        default: return nil
        }
        guard let value = Int(digits), value > 0, value <= (1 << 50) / unit else { return nil }
        bytes = value * unit
    }

    var description: String { bytes % (1 << 20) == 0 ? "\(bytes >> 20)M" : "\(bytes)" }

    var defaultValueDescription: String { description }
}

extension AttachMode: ExpressibleByArgument {}

extension AggregationLevel: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
