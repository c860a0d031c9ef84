import ArgumentParser
import ClusterModel
import Foundation
import Glibc
import Policy
import Query
import Screen
import Store

extension PolicyCommand {
    /// `weir policy preview`.
    struct Preview: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show which recorded connections a change of policies would allow or deny.",
            discussion: """
                Every recorded connection is evaluated twice: by the inventory's policies as they are, and with the change: \
                objects that would be applied (--change), deleted (--without), staged policies enforced (--enforce-staged). \
                Connections of records without names or addresses (level 2 and above) are asked for up to three pods of \
                the workload that the record names; where these differ, or none is known, nothing can be listed ('?').

                The effect on forwarded traffic is not evaluated: a warning names the policies of the change that \
                govern it (applyOnForward, preDNAT, doNotTrack).

                Not seen is not safe: connections without a record are not evaluated. Exit codes: 0 nothing changes, 1 something does or \
                cannot be decided, or the records or the inventory cannot be read, 2 wrong usage.

                Examples:
                  weir policy preview --inventory cluster.yaml --change new.yaml --since 24h
                  weir policy preview --inventory cluster.yaml --enforce-staged --flows flows.log
                  weir policy preview --inventory cluster.yaml --without NetworkPolicy/shop/allow-all -o markdown
                """
        )

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @Option(
            name: .customLong("change"),
            help: ArgumentHelp(
                "A file, or a folder, with objects that would be applied. Repeatable.",
                valueName: "path"
            )
        )
        var changes: [String] = []

        @Option(
            name: .customLong("without"),
            help: ArgumentHelp(
                "An object that would be deleted. Repeatable.",
                valueName: "kind/[namespace/]name"
            )
        )
        var without: [String] = []

        @Flag(help: "Staged policies would be enforced.")
        var enforceStaged = false

        @Option(help: ArgumentHelp("Records of a file, - is standard input. Default: the store.", valueName: "file"))
        var flows: String?

        @Option(
            help: ArgumentHelp("The store. Default: \(RecordSourceOptions.defaultStore).", valueName: "path")
        )
        var store: String?

        @OptionGroup(title: "Which time")
        var range: RangeOptions

        @OptionGroup(title: "Which records")
        var selection: RecordFilterOptions

        @Option(name: [.customShort("o"), .customLong("output")], help: "table, markdown or json.")
        var format = PreviewFormat.table

        func validate() throws {
            guard !changes.isEmpty || !without.isEmpty || enforceStaged else {
                throw ValidationError("what would change? give --change PATH, --without KIND/NAME or --enforce-staged")
            }
            guard flows == nil || store == nil else { throw ValidationError("--flows and --store: give one of them") }
            guard !changes.contains("") else { throw ValidationError("--change: the path is empty") }
            for text in without { _ = try ObjectReference.candidates(text) }
        }

        func run() throws {
            let change = try PolicyChange(
                files: changes,
                deleted: without.map { try ObjectReference.candidates($0) },
                purpose: "policy preview"
            )
            let before = try PolicySources(inventory, format: .enterprise, purpose: "policy preview")
            try before.load()
            let after = before.forked()
            try change.apply(to: after)
            let (connections, evidence) = try recorded()
            var preview = PolicyPreview(before: before.tracer, after: after.tracer, enforcesStaged: enforceStaged)
            preview.judge(connections)
            var lines = change.lines(before: before.tracer.directory)
            if enforceStaged { lines.append("~ staged policies are enforced") }
            let warnings = change.warnings(
                before: before.tracer.policies,
                after: after.tracer.policies,
                enforcesStaged: enforceStaged
            )
            try PreviewText(preview, changes: lines, warnings: warnings, evidence: evidence, format).write()
            if !preview.changes.isEmpty { throw ExitCode(1) }
        }

        private func recorded() throws -> ([RecordedConnection], PreviewEvidence) {
            var options = try RecordSourceOptions.parse([])
            (options.store, options.from) = (store, flows)
            let records = try options.open()
            let (since, until) = try range.range(of: records)
            var query = FlowQuery(
                since: since,
                until: until,
                filter: try selection.filter(),
                groupBy: RecordedConnection.groupByReporter,
                sums: RecordedConnection.sums
            )
            query.limit = .max
            query.ordersTies = false
            do {
                let result = try records.run(query)
                let connections = RecordedConnection.each(of: result)
                let evidence = PreviewEvidence(result, connections, since: since, until: until)
                return (connections, evidence)
            } catch let error as StoreError {
                throw CommandFailure(description: "\(error)")
            } catch let error as QueryError {
                throw CommandFailure(description: "\(error)")
            }
        }
    }
}

/// The output format of a preview.
enum PreviewFormat: String, ExpressibleByArgument, CaseIterable {
    case table, markdown, json
}
