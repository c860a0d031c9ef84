import FoundationEssentials

/// Parses points in time as users write them: a span back from now (`15m`, `24h`, `7d`), Unix seconds, or RFC 3339.
package enum TimePoint {
    /// Parses a text.
    ///
    /// - Parameters:
    ///   - text: `90s`, `15m`, `6h`, `7d`, `2w`; `1764338400`; `2026-11-28T14:00:00Z`, possibly with an offset.
    ///   - now: the current time, Unix seconds.
    /// - Returns: Unix seconds; nil for other text.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        if let span = span(text) { return now - span }
        if let seconds = Int64(text), seconds >= 0, seconds <= 1 << 40 { return seconds }
        guard text.utf8.count <= 40, let date = try? Date(text, strategy: .iso8601) else { return nil }
        return Int64(min(max(date.timeIntervalSince1970, 0), 0x1p40))
    }

    /// Parses a span of time with a unit, at most ten thousand days.
    ///
    /// - Returns: seconds; nil for other text.
    package static func span(_ text: String) -> Int64? {
        guard let unit = text.last, let number = Int64(text.dropLast()), number > 0, number <= 1_000_000_000 else {
            return nil
        }
        let factor: Int64
        switch unit {
        case "s": factor = 1
        case "m": factor = 60
        case "h": factor = 3600
        case "d": factor = 86_400
        case "w": factor = 604_800
        default: return nil
        }
        let seconds = number.multipliedReportingOverflow(by: factor)
        return seconds.overflow || seconds.partialValue > 864_000_000 ? nil : seconds.partialValue
    }

    /// The accepted forms, for messages.
    package static let forms = "a time like 15m, 24h or 7d ago, Unix seconds, or 2026-11-28T14:00:00Z"
}
