import Audit
import FlowModel
import Foundation
import Glibc
import Records
import Screen

/// Prints changes on standard output.
struct AuditPrinter {
    private let format: AuditFormat
    private let utcOffset: Int64
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var output = OutputBuffer()
    /// Events about credentials that were withheld.
    private(set) var withheld = 0

    /// Creates a printer without output.
    init(_ format: AuditFormat, isUTC: Bool) {
        self.format = format
        utcOffset = isUTC ? 0 : Int64(TimeZone.current.secondsFromGMT())
    }

    /// A change as a formatted line; nil for an event about credentials in the raw format.
    mutating func line(_ change: AuditChange, _ event: ArraySlice<UInt8>) -> [UInt8]? {
        if format == .raw, change.event.isSecret {
            withheld += 1
            return nil
        }
        return switch format {
        case .raw:
            isTerminal ? Array(TerminalText.neutralizedJSON(String(decoding: event, as: UTF8.self)).utf8) : Array(event)
        case .json: Self.json(change)
        case .text: Array(text(change).utf8)
        }
    }

    /// A note about withheld events, for standard error; nil if there are none.
    var note: String? {
        withheld == 0 ? nil : "\(withheld) events about credentials are left out: -o raw would print them"
    }

    /// Appends a line.
    mutating func add(_ line: [UInt8]) throws {
        output.append(line)
        output.append(CollectionOfOne(UInt8(ascii: "\n")))
        if output.isFull { try output.flush() }
    }

    /// Writes all pending lines.
    ///
    /// - Throws: `CommandFailure` if writing to standard output fails.
    mutating func flush() throws { try output.flush() }

    /// A changed verdict, printed below the change that caused it.
    func line(_ verdict: VerdictChange) -> [UInt8] {
        let rule = verdict.rule.isEmpty ? "no rule known" : verdict.rule
        let text =
            "\(verdict.source) → \(verdict.dest) \(verdict.port): \(verdict.before) → \(verdict.after) by \(rule), "
            + "\(verdict.connections) connections\(verdict.isLikely ? ", likely" : "")"
        return Array("                       \(TerminalText.neutralized(text))".utf8)
    }

    private func text(_ change: AuditChange) -> String {
        "\(clock(change.event.time))  \(TerminalText.neutralized(change.summary))"
    }

    /// The time of a Unix time in µs.
    func clock(_ microseconds: Int64) -> String {
        microseconds == 0
            ? "(no time)          " : ClockText.full(microseconds / 1_000_000, offset: utcOffset)
    }

    private static func json(_ change: AuditChange) -> [UInt8] { json(ChangeRecord(change)) }

    /// A change as JSON.
    ///
    /// The object's state is left out: the differences are more useful, and `-o raw` contains the state.
    static func json(_ change: ChangeRecord) -> [UInt8] {
        var change = change
        change.state = nil
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(change) else { return [] }
        return Array(TerminalText.neutralizedJSON(String(decoding: data, as: UTF8.self)).utf8)
    }
}
