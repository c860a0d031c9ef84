import Foundation

/// The pause that a server requests (`Retry-After`, RFC 9110 section 10.2.3): seconds, or a date.
enum RetryAfter {
    /// The longest pause, whatever the server requests.
    static let longest = Duration.seconds(300)

    /// Parses the value of the header; nil if it is neither a number of seconds nor a date.
    static func pause(_ text: String, now: Date = Date()) -> Duration? {
        let text = text.trimmingCharacters(in: .whitespaces)
        if !text.isEmpty, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
            return Int(text).map(pause(seconds:)) ?? longest
        }
        guard let date = date(text) else { return nil }
        return pause(seconds: Int(min(max(date.timeIntervalSince(now), 0), 1e6).rounded(.up)))
    }

    /// A number of seconds, limited to 0 and ``longest``.
    static func pause(seconds: Int) -> Duration {
        min(.seconds(max(seconds, 0)), longest)
    }

    /// Parses the date format that senders must use (IMF-fixdate).
    private static func date(_ text: String) -> Date? {
        guard text.utf8.count < 64 else { return nil }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.date(from: text)
    }
}
