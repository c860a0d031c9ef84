import ArgumentParser
import Audit
import Foundation
import Screen

extension AuditCommand {
    /// `weir audit explain`: shows everything about one request.
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print who, what, when and how of one request, and every difference that it made.",
            discussion: """
                A client may choose the audit ID of its requests, so there may be several of one.

                Example:
                  weir audit explain 4312bc1c-891e-44b3-a39a-448d1332c101 kube-audit.log
                """
        )

        @Argument(help: ArgumentHelp("The request's auditID.", valueName: "audit-id"))
        var auditID: String

        @OptionGroup var input: AuditFileOptions

        @Flag(help: "Times are UTC, not local.")
        var utc = false

        func run() throws {
            var source = try AuditInput(input)
            var join = AuditJoin()
            var reader = ChangeReader()
            var begun: [AuditEvent] = []
            var found = 0
            let printer = AuditPrinter(.text, isUTC: utc)
            try source.read { event, bytes, _ in
                let isNew = join.take(event)
                if event.auditID == auditID, !event.stage.isFinal { begun.append(event) }
                guard isNew else { return }
                let change = reader.change(event, in: bytes.span) ?? AuditChange(event)
                guard event.auditID == auditID else { return }
                found += 1
                let stages = begun.filter { $0.receivedAt == event.receivedAt } + [event]
                print(AuditExplanation(change, stages, printer).text)
            }
            for event in join.unfinished where event.auditID == auditID {
                found += 1
                print(AuditExplanation(AuditChange(event), [event], printer).text)
            }
            if let warning = source.warning { complain(warning) }
            guard found > 0 else {
                throw CommandFailure(description: "no request has the audit ID \(TerminalText.neutralized(auditID))")
            }
        }
    }
}

/// The full description of a request.
struct AuditExplanation {
    private let change: AuditChange
    private let stages: [AuditEvent]
    private let printer: AuditPrinter

    /// Takes a request, its stages in order, and the printer that formats times.
    init(_ change: AuditChange, _ stages: [AuditEvent], _ printer: AuditPrinter) {
        self.change = change
        self.stages = stages
        self.printer = printer
    }

    /// The text, on several lines.
    var text: String {
        var lines = ["\(change.event.auditID)  \(change.summary)", ""]
        for (name, value) in facts where !value.isEmpty {
            lines.append("  " + name.padding(toLength: 12, withPad: " ", startingAt: 0) + value)
        }
        for (index, difference) in change.changes.enumerated() {
            lines.append((index == 0 ? "  changes     " : "              ") + difference.description)
        }
        if change.omitted > 0 { lines.append("              \(change.omitted) more") }
        return lines.map { TerminalText.neutralized($0) }.joined(separator: "\n") + "\n"
    }

    private var facts: [(String, String)] {
        let event = change.event
        return [
            ("user", Self.text(event.user)),
            ("as", event.impersonated.map { Self.text($0) } ?? ""),
            ("from", "\(event.sourceIPs.joined(separator: ", ")) with \(event.userAgent)"),
            ("at", "\(printer.clock(event.time)), \(duration)"),
            ("request", "\(event.verb) \(event.requestURI)"),
            ("outcome", outcome),
            (
                "authorizer",
                [event.authorization.decision, event.authorization.reason].filter { !$0.isEmpty }.joined(
                    separator: ": "
                )
            ),
            ("level", "\(event.level.rawValue)\(basis)"),
            ("stages", stages.map(\.stage.rawValue).joined(separator: ", ")),
            ("verdicts", verdicts),
        ]
    }

    private static func text(_ user: AuditUser) -> String {
        user.groups.isEmpty ? user.name : "\(user.name) (\(user.groups.joined(separator: ", ")))"
    }

    private var duration: String {
        let event = change.event
        guard event.receivedAt > 0, event.time >= event.receivedAt else { return "after an unknown time" }
        return String(format: "after %.1f ms", Double(event.time - event.receivedAt) / 1000)
    }

    private var outcome: String {
        let status = change.event.status
        let code = status.map { " (\($0.code)\($0.message.isEmpty ? "" : ": \($0.message)"))" } ?? ""
        return change.outcome.rawValue + code + (change.outcome.changesNothing ? ": nothing changed" : "")
    }

    private var basis: String {
        switch change.basis {
        case .compared where change.event.isCreation: ": the object was not there before"
        case .compared where change.event.verb == "delete" || change.isRemoval:
            ": the state before the deletion is shown"
        case .compared: ": compared with the state before"
        case .sent: ": the state before is not in these files; what was sent is shown"
        case .nothing, .seen: ""
        }
    }

    private var verdicts: String {
        guard change.event.isWrite, let target = change.event.target else { return "" }
        if change.outcome.changesNothing { return "none: nothing changed" }
        switch AuditResource.role(of: target) {
        case .policy: return "may change: it is a policy, or a tier"
        case .selected: return "may change if policies select by what changed"
        case .service: return "may change where policies name services"
        case .other: return "do not depend on it"
        }
    }
}
