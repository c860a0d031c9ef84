import Audit

/// Formats times of reports as RFC 3339 in UTC.
enum ReportTime {
    /// The text of a time in Unix seconds.
    static func text(_ seconds: Int64) -> String {
        let text = AuditEnvelope.text(seconds * 1_000_000) ?? ""
        // Times of reports have a resolution of one second.
        return text.isEmpty ? "" : "\(text.prefix(19))Z"
    }
}
