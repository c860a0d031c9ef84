import API
import Foundation
import Glibc
import Policy
import Screen

/// The text output of a preview.
struct PreviewText {
    private let preview: PolicyPreview
    private let changes: [String]
    private let warnings: [String]
    private let evidence: PreviewEvidence
    private let format: PreviewFormat

    /// Takes the result of the preview.
    init(
        _ preview: PolicyPreview,
        changes: [String],
        warnings: [String],
        evidence: PreviewEvidence,
        _ format: PreviewFormat
    ) {
        (self.preview, self.changes, self.warnings) = (preview, changes, warnings)
        (self.evidence, self.format) = (evidence, format)
    }

    /// Writes it to standard output.
    ///
    /// - Throws: `CommandFailure` if writing to standard output fails.
    func write() throws {
        var output = OutputBuffer()
        switch format {
        case .json: output.appendJSON(Array((json + "\n").utf8))
        case .table: for line in head + table { output.append(line: line) }
        case .markdown: for line in markdown { output.append(line: line) }
        }
        try output.flush()
    }

    private func count(_ isIncluded: (PolicyPreview.Change) -> Bool) -> (pairs: Int, connections: UInt64) {
        preview.changes.filter(isIncluded).reduce((0, 0)) { ($0.0 + 1, $0.1 &+ $1.connections) }
    }

    private var result: String {
        let changed = count { $0.after != .unknown && $0.before != .unknown }
        let unknown = count { $0.after == .unknown || $0.before == .unknown }
        let change = changed.pairs == 1 ? "1 pair changes" : "\(changed.pairs) pairs change"
        return "\(change) (\(changed.connections) connection\(changed.connections == 1 ? "" : "s")), "
            + "\(preview.kept.pairs) stay (\(preview.kept.connections)), "
            + "\(unknown.pairs) cannot be decided (\(unknown.connections))"
    }

    private var span: String {
        "\(ClockText.full(evidence.since, offset: 0)) to \(ClockText.full(evidence.until, offset: 0)) +00"
    }

    private var head: [String] {
        changes.enumerated().map {
            ($0.offset == 0 ? "change    " : "          ") + $0.element
        } + [
            "evidence  \(evidence.connections) connections, \(evidence.groups) kinds of them, \(span)"
                + (evidence.withoutEnd > 0 ? "; \(evidence.withoutEnd) groups without the other end left out" : ""),
            "result    \(result)",
        ] + warnings.map { "warning   \($0)" }
    }

    private static func name(_ verdict: PolicyPreview.Verdict) -> String {
        verdict == .deny ? "DENY" : verdict.rawValue
    }

    private static func verdicts(_ change: PolicyPreview.Change) -> String {
        change.reason.isEmpty || change.before != .unknown
            ? "\(name(change.before)) → \(name(change.after))" : "?"
    }

    private var table: [String] {
        guard !preview.changes.isEmpty else { return [] }
        var rows = [["NOW → THEN", "SOURCE", "DESTINATION", "PORT", "CONN", "LAST+00"]]
        for change in preview.changes {
            rows.append([
                Self.verdicts(change), TerminalText.neutralized(change.source),
                TerminalText.neutralized(change.destination), change.port, "\(change.connections)",
                ClockText.full(change.lastSeen, offset: 0),
            ])
        }
        let widths = (0..<6).map { column in rows.map { TerminalText.width($0[column]) }.max() ?? 0 }
        var lines = [""]
        for (index, row) in rows.enumerated() {
            let cells = row.enumerated().map { column, text in
                TerminalText.padded(text, to: column == 5 ? 0 : widths[column], onLeft: column == 4)
            }
            lines.append(cells.joined(separator: "  "))
            guard index > 0 else { continue }
            lines += Self.reasons(preview.changes[index - 1]).map { "    " + $0 }
        }
        return lines + ["", "not seen is not safe: connections without a record are not evaluated"]
    }

    private static func reasons(_ change: PolicyPreview.Change) -> [String] {
        guard change.reason.isEmpty else { return ["cannot be decided: \(change.reason)"] }
        return ["now: \(words(change.beforeRule))", "then: \(words(change.afterRule))"]
    }

    static func words(_ hit: String) -> String {
        hit.isEmpty ? "no policy applies" : (try? PolicyHit(hit))?.words ?? hit
    }

    private var markdown: [String] {
        func cell(_ text: String) -> String {
            TerminalText.neutralized(text).replacing("|", with: "\\|").replacing("<", with: "&lt;")
        }
        var lines = changes.map { "- `\($0.replacing("`", with: "'"))`" }
        lines += ["", "\(evidence.connections) connections, \(span): \(result).", ""]
        lines += warnings.flatMap { ["Warning: \(cell($0)).", ""] }
        guard !preview.changes.isEmpty else { return lines }
        lines += ["| now → then | source | destination | port | connections | why |", "|---|---|---|---|--:|---|"]
        return lines
            + preview.changes.map { change in
                let why = Self.reasons(change).joined(separator: "; ")
                return
                    "| \(Self.verdicts(change)) | \(cell(change.source)) | \(cell(change.destination)) | \(change.port) "
                    + "| \(change.connections) | \(cell(why)) |"
            }
    }

    private var json: String {
        (try? JSONEncoder.forLines.line(PreviewShape(preview, changes: changes, warnings: warnings, evidence))) ?? "{}"
    }
}
