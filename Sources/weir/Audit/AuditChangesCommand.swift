import ArgumentParser
import Audit
import Foundation
import Records
import Store

extension AuditCommand {
    /// `weir audit changes`: lists the changes in a range of time.
    struct Changes: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what changed in a range of time, and what was tried in vain.",
            discussion: """
                Objects are compared with their states earlier in the files, also from before the range. Status updates are \
                left out without --status. A store has the changes that concern policies: of policies, services, \
                network sets, and of labels of what policies select, with the verdicts that they changed.

                Examples:
                  weir audit changes --since 24h kube-audit.log
                  weir audit changes --since 7d --kind NetworkPolicy --kind GlobalNetworkPolicy --rotated kube-audit.log
                  weir audit changes --since 24h --store /var/lib/weir/flows.db
                  weir audit changes --since 2026-11-28T14:00:00Z --until 2026-11-28T15:00:00Z --user alice -o json
                """
        )

        @OptionGroup var input: AuditFileOptions

        @Option(help: ArgumentHelp("Instead of files, the store that weir run --store writes.", valueName: "path"))
        var store: String?

        @OptionGroup(title: "Which changes") var selection: AuditSelectionOptions

        @Option(help: ArgumentHelp("From this time on: 15m, 24h or 7d ago, Unix seconds, RFC 3339.", valueName: "time"))
        var since: String?

        @Option(help: ArgumentHelp("Until this time. Default: the end of the log.", valueName: "time"))
        var until: String?

        @Flag(help: "Include updates of status and other parts that controllers write.")
        var status = false

        @Option(name: .shortAndLong, help: "text, json or raw: words, a JSON object each, or the events as they are.")
        var output = AuditFormat.text

        @Flag(help: "Times are UTC, not local.")
        var utc = false

        func validate() throws {
            guard store != "" else { throw ValidationError("--store: the path is empty") }
            guard store == nil || (input.files.isEmpty && !input.rotated) else {
                throw ValidationError("--store: give files, or a store")
            }
            guard store == nil || output != .raw else {
                throw ValidationError("-o raw: a store does not have the events as they are; only audit logs have")
            }
            for (option, text) in [("--since", since), ("--until", until)] {
                guard let text, TimePoint.parse(text, now: Self.now) == nil else { continue }
                throw ValidationError("\(option) \(text): \(TimePoint.forms) is needed")
            }
        }

        private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

        /// A point in time, µs.
        private static func point(_ text: String?) -> Int64? {
            text.flatMap { TimePoint.parse($0, now: now) }.map { $0 * 1_000_000 }
        }

        func run() throws {
            if let store { return try runStored(store) }
            var view = AuditView(selection, writesOnly: true)
            var source = try AuditInput(input, where: view.neededEvents)
            var printer = AuditPrinter(output, isUTC: utc)
            var counts: [AuditOutcome: Int] = [:]
            let (from, to) = (Self.point(since) ?? .min, Self.point(until) ?? .max)
            try source.read { event, bytes, line in
                guard let change = view.change(event, bytes), from..<to ~= event.time else { return }
                guard status || event.target?.subresource != "status" || change.changesLabels else { return }
                counts[change.outcome, default: 0] += 1
                if let text = printer.line(change, bytes[line]) { try printer.add(text) }
            }
            try printer.flush()
            for line in [source.warning, printer.note].compactMap(\.self) { say(line) }
            if output == .text { say(Self.sum(counts)) }
        }

        private func runStored(_ path: String) throws {
            let query = ChangeQuery(since: Self.point(since) ?? .min, until: Self.point(until) ?? .max)
            var printer = AuditPrinter(output, isUTC: utc)
            var counts: [AuditOutcome: Int] = [:]
            try StoredChanges(store: path, query).forEach(selection.selection) { change, record in
                counts[change.outcome, default: 0] += 1
                if let text = output == .json ? AuditPrinter.json(record) : printer.line(change, []) {
                    try printer.add(text)
                }
                guard output == .text else { return }
                for verdict in record.verdictsChanged ?? [] { try printer.add(printer.line(verdict)) }
            }
            try printer.flush()
            if output == .text { say(Self.sum(counts)) }
        }

        private static func sum(_ counts: [AuditOutcome: Int]) -> String {
            let done = counts[.done] ?? 0
            let others = AuditOutcome.allCases.filter { $0 != .done }
                .compactMap { outcome in counts[outcome].map { "\($0) \(outcome.rawValue)" } }
            return "-- \(done) \(done == 1 ? "change" : "changes")"
                + (others.isEmpty ? "" : "; without effect or unknown: \(others.joined(separator: ", "))")
        }

        private func say(_ line: String) { complain(line) }
    }
}
