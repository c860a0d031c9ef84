public import ArgumentParser
public import Datapath
public import FlowModel
public import Logging

/// A span of time as an operator writes it: `500ms`, `10s`, `5m`, `1h`; a bare number is seconds.
struct TimeArgument: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration
    let description: String

    /// A default that stands in the source.
    init(seconds: Int64) {
        duration = .seconds(seconds)
        description = "\(seconds)s"
    }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let value = Int64(digits), value > 0, value <= 1_000_000 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(value)
        case "s", "": duration = .seconds(value)
        case "m": duration = .seconds(value * 60)
        case "h": duration = .seconds(value * 3_600)
        default: return nil
        }
        description = argument
    }

    var defaultValueDescription: String { description }
}

extension AttachMode: ExpressibleByArgument {}

extension AggregationLevel: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}
