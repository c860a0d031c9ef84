import Audit

/// Times of reports: RFC 3339, UTC.
enum ReportTime {
    /// The time of Unix seconds.
    static func text(_ seconds: Int64) -> String {
        let text = AuditEnvelope.text(seconds * 1_000_000) ?? ""
        // Reports have whole seconds.
        return text.isEmpty ? "" : "\(text.prefix(19))Z"
    }
}
