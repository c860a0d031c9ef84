import ArgumentParser
import Audit
import Foundation
import Records
import Store

/// `weir report`: creates reports for auditors.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Make a report for auditors.",
        discussion: """
            Examples:
              weir report policy-audit --since 7d --format csv kube-audit.log
              weir report network-access --inventory cluster.yaml --since 7d
              weir report inventory --inventory cluster.yaml
            """,
        subcommands: [PolicyAudit.self, NetworkAccessReport.self, InventoryReport.self]
    )

    /// `weir report policy-audit`: reports changes of policies.
    struct PolicyAudit: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "policy-audit",
            abstract: "Count the policies that were created, modified and deleted, from an audit log.",
            discussion: """
                csv is one line with the columns of Calico's report. json and yaml have the audit events, too, as the API \
                server wrote them; with --store the changes instead, each with the verdicts that it changed. What was \
                denied, failed or tried out is not counted, nor is a change without a difference. A deletion counts when the \
                object is gone.

                Examples:
                  weir report policy-audit --since 7d kube-audit.log
                  weir report policy-audit --since 2026-11-01T00:00:00Z --namespace shop --format json kube-audit.log
                  weir report policy-audit --since 7d --store /var/lib/weir/flows.db --format yaml
                """
        )

        @OptionGroup var input: AuditFileOptions

        @Option(help: ArgumentHelp("Instead of files, the store that weir run --store writes.", valueName: "path"))
        var store: String?

        @Option(help: ArgumentHelp("From this time on: 15m, 24h or 7d ago, Unix seconds, RFC 3339.", valueName: "time"))
        var since: String?

        @Option(help: ArgumentHelp("Until this time. Default: the end of the log.", valueName: "time"))
        var until: String?

        @Option(
            name: [.customLong("namespace"), .customShort("n")],
            help: "Only policies of this namespace. Repeatable."
        )
        var namespaces: [String] = []

        @Option(help: "csv, json or yaml.")
        var format = ReportFormat.csv

        func validate() throws {
            guard store != "" else { throw ValidationError("--store: the path is empty") }
            guard store == nil || (input.files.isEmpty && !input.rotated) else {
                throw ValidationError("--store: give files, or a store")
            }
            for (option, text) in [("--since", since), ("--until", until)] {
                guard let text, Self.point(text) == nil else { continue }
                throw ValidationError("\(option) \(text): \(TimePoint.forms) is needed")
            }
        }

        private static func point(_ text: String?) -> Int64? {
            text.flatMap { TimePoint.parse($0, now: Int64(Date().timeIntervalSince1970)) }.map { $0 * 1_000_000 }
        }

        func run() throws {
            var report = PolicyAuditReport()
            report.start = Self.point(since)
            report.end = Self.point(until)
            report.namespaces = namespaces
            var events: [String] = []
            if let store {
                let query = ChangeQuery(since: report.start ?? .min, until: report.end ?? .max, role: .policy)
                try StoredChanges(store: store, query).forEach(AuditSelection()) { change, record in
                    guard report.add(change), format != .csv else { return }
                    events.append(String(decoding: AuditPrinter.json(record), as: UTF8.self))
                }
                return printJSON(Self.text(report, events, format))
            }
            var source = try AuditInput(input)
            var join = AuditJoin()
            var reader = ChangeReader()
            try source.read { event, bytes, line in
                guard join.take(event), let change = reader.change(event, in: bytes.span), report.add(change) else {
                    return
                }
                if format != .csv { events.append(String(decoding: bytes[line], as: UTF8.self)) }
            }
            printJSON(Self.text(report, events, format))
            if let warning = source.warning { complain(warning) }
        }

        private static func text(_ report: PolicyAuditReport, _ events: [String], _ format: ReportFormat) -> String {
            let names = PolicyAuditReport.columns
            switch format {
            case .csv:
                return "\(ReportTable.line(names))\n\(ReportTable.line(report.values))"
            case .json:
                let members = zip(names, report.values).map { "\"\($0)\":\(value($0, $1))" }
                return "{\(members.joined(separator: ",")),\"events\":[\n\(events.joined(separator: ",\n"))\n]}"
            case .yaml:
                let members = zip(names, report.values).map { "\($0): \(value($0, $1))" }
                let list =
                    events.isEmpty
                    ? "events: []" : "events:\n" + String(events.map(BlockYAML.element).joined().dropLast())
                return (members + [list]).joined(separator: "\n")
            }
        }

        private static func value(_ name: String, _ text: String) -> String {
            name.hasPrefix("num") ? text : ReportTable.json(.text(text))
        }
    }
}
