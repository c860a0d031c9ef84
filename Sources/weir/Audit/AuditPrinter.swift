import Audit
import FlowModel
import Foundation
import Glibc
import Screen

/// Writes changes to standard output.
struct AuditPrinter {
    private let format: AuditFormat
    private let utcOffset: Int64
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var output = OutputBuffer()

    /// Nothing is written yet.
    init(_ format: AuditFormat, isUTC: Bool) {
        self.format = format
        utcOffset = isUTC ? 0 : Int64(TimeZone.current.secondsFromGMT())
    }

    /// A change, ready to be written.
    func line(_ change: AuditChange, _ event: ArraySlice<UInt8>) -> [UInt8] {
        switch format {
        case .raw:
            isTerminal ? Array(TerminalText.neutralizedJSON(String(decoding: event, as: UTF8.self)).utf8) : Array(event)
        case .json: Self.json(change)
        case .text: Array(text(change).utf8)
        }
    }

    /// Adds a line.
    mutating func add(_ line: [UInt8]) throws {
        output.append(line)
        output.append(CollectionOfOne(UInt8(ascii: "\n")))
        if output.isFull { try output.flush() }
    }

    /// Writes everything.
    ///
    /// - Throws: `CommandFailure` if standard output takes nothing.
    mutating func flush() throws { try output.flush() }

    private func text(_ change: AuditChange) -> String {
        "\(clock(change.event.time))  \(TerminalText.neutralized(change.summary))"
    }

    /// The time of a Unix time in µs.
    func clock(_ microseconds: Int64) -> String {
        microseconds == 0
            ? "(no time)          " : ClockText.full(microseconds / 1_000_000, offset: utcOffset)
    }

    private static func json(_ change: AuditChange) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array((try? encoder.encode(ChangeRecord(change))) ?? Data())
    }
}

/// A change as JSON.
private struct ChangeRecord: Encodable {
    struct Difference: Encodable {
        var path: String
        var before: String?
        var after: String?
    }

    var time: Double
    var auditID: String
    var user: String
    var impersonatedUser: String?
    var verb: String
    var kind: String
    var resource: String?
    var group: String?
    var namespace: String?
    var name: String?
    var names: [String]?
    var subresource: String?
    var outcome: String
    var code: Int?
    var dryRun: Bool
    var basis: String
    var changes: [Difference]
    var moreChanges: Int?
    var summary: String

    init(_ change: AuditChange) {
        let event = change.event
        let some = { (text: String?) -> String? in text?.isEmpty == false ? text : nil }
        time = Double(event.time) / 1e6
        auditID = event.auditID
        user = event.user.name
        impersonatedUser = event.impersonated?.name
        verb = event.verb
        kind = change.kind
        resource = some(event.target?.resource)
        group = some(event.target?.group)
        namespace = some(change.namespace)
        name = some(change.name)
        names = change.names.isEmpty ? nil : change.names
        subresource = some(event.target?.subresource)
        outcome = change.outcome.rawValue
        code = event.status?.code
        dryRun = event.isDryRun
        basis = change.basis.rawValue
        changes = change.changes.map { Difference(path: $0.path, before: $0.before, after: $0.after) }
        moreChanges = change.omitted > 0 ? change.omitted : nil
        summary = change.summary
    }
}
