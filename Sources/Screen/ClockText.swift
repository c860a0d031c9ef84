/// Formats times of day without Foundation's formatters, which cost more than the rest of a line.
package enum ClockText {
    /// Formats a Unix time as `14:03:20`.
    package static func time(_ seconds: Int64, offset: Int64) -> String {
        let day = ((seconds &+ offset) % 86_400 + 86_400) % 86_400
        return "\(two(day / 3600)):\(two(day / 60 % 60)):\(two(day % 60))"
    }

    /// Formats a Unix time as `2026-11-28 14:03:20`.
    package static func full(_ seconds: Int64, offset: Int64) -> String {
        let local = seconds &+ offset
        let days = (local >= 0 ? local : local - 86_399) / 86_400
        return "\(date(days)) \(time(seconds, offset: offset))"
    }

    /// Formats an offset as `+00`, `-05` or `+05:30`.
    package static func offset(_ seconds: Int64) -> String {
        let minutes = abs(seconds) / 60
        let sign = seconds < 0 ? "-" : "+"
        return sign + two(minutes / 60) + (minutes % 60 == 0 ? "" : ":\(two(minutes % 60))")
    }

    /// Returns the date of a day since 1970-01-01 (proleptic Gregorian calendar).
    ///
    /// Source: Howard Hinnant, `civil_from_days`.
    private static func date(_ days: Int64) -> String {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(year)-\(two(month))-\(two(day))"
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
