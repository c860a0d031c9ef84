import ArgumentParser
import Filter
import Foundation
import Policy
import Query
import Screen
import Store

extension PolicyCommand {
    /// `weir policy unused`.
    struct Unused: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List policies and rules that decided no recorded connection.",
            discussion: """
                The policies of the inventory beside the hits of records: policies of which no rule decided a connection, and \
                rules of the others that did not. Rules that only log decide nothing and are left out. What is not used \
                in a day may be used at the end of the month: choose the time with --since.

                A policy with applyOnForward may decide forwarded connections, too; one with preDNAT or doNotTrack \
                decides only these. Without records of them (weir run --policy-scope all) its use is not known where no \
                end of a connection used it, and the list says so.

                Exit codes: 0 everything is used, 1 something is not or its use is not known, or the records or the \
                inventory cannot be read, or no record has evaluated policies, 2 wrong usage.

                Examples:
                  weir policy unused --inventory cluster.yaml --since 7d
                  weir policy unused --inventory cluster.yaml --flows flows.log -o json
                """
        )

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @Option(help: ArgumentHelp("Records of a file, - is standard input. Default: the store.", valueName: "file"))
        var flows: String?

        @Option(
            help: ArgumentHelp("The store. Default: \(RecordSourceOptions.defaultStore).", valueName: "path")
        )
        var store: String?

        @OptionGroup(title: "Which time")
        var range: RangeOptions

        @Option(name: [.customShort("o"), .customLong("output")], help: "table or json: one object a line.")
        var format = Format.table

        /// The output format.
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case table, json
        }

        func validate() throws {
            guard flows == nil || store == nil else { throw ValidationError("--flows and --store: give one of them") }
        }

        func run() throws {
            let sources = try PolicySources(inventory, format: .enterprise, purpose: "policy unused")
            try sources.load()
            let lines = try self.lines(try use(sources.tracer.policies.catalogue))
            var output = OutputBuffer()
            for line in lines {
                if format == .json { output.appendJSON(Array((line + "\n").utf8)) } else { output.append(line: line) }
            }
            try output.flush()
            if !lines.isEmpty { throw ExitCode(1) }
        }

        private func use(_ catalogue: PolicyCatalogue) throws -> PolicyUse {
            var options = try RecordSourceOptions.parse([])
            (options.store, options.from) = (store, flows)
            let records = try options.open()
            guard let reader = records.reader else {
                throw CommandFailure(description: "--store: a store of this host is needed, or --flows FILE")
            }
            let (since, until) = try range.range(of: records)
            do {
                return try reader.read { snapshot in
                    let scan = FlowScan(
                        snapshot,
                        since: since,
                        until: until,
                        filter: try Filter(""),
                        seconds: QueryLimits.ofCommand.seconds
                    )
                    return PolicyUse(try KeyTotals(scan), catalogue)
                }
            } catch let error as StoreError {
                throw CommandFailure(description: "\(error)")
            }
        }

        private struct Line: Encodable {
            var kind: String
            var policy: String
            var direction: String?
            var rule: Int?
            var action: String?
            var text: String?
            var state: PolicyUse.State
            /// Why the state is not known.
            var note: String?

            /// The line with a state; the note is about forwarded traffic, which staged policies do not decide.
            func with(_ state: PolicyUse.State, isStaged: Bool) -> Line {
                var line = self
                line.state = state
                line.note = state == .unknown && !isStaged ? Self.forwardedNote : nil
                return line
            }

            private static let forwardedNote = "not known for forwarded traffic without weir run --policy-scope all"
        }

        private func lines(_ use: PolicyUse) throws -> [String] {
            let policies = use.tiers.flatMap(\.policies)
            let isUnknown = policies.contains { $0.state == .unknown && !$0.is_staged }
            guard use.hasEnforcedHits || !isUnknown else {
                throw CommandFailure(
                    description:
                        "no record of this time has evaluated policies; weir run needs an inventory, too"
                )
            }
            let unused = policies.flatMap { policy -> [Line] in
                let line = Line(kind: policy.kind, policy: policy.id, state: policy.state)
                guard policy.state == .used else { return [line.with(policy.state, isStaged: policy.is_staged)] }
                return policy.rules.filter { $0.state != .used }.map { rule in
                    var line = line.with(rule.state, isStaged: policy.is_staged)
                    (line.direction, line.rule, line.action) = (rule.direction, rule.index, rule.action)
                    line.text = rule.text
                    return line
                }
            }
            return try unused.map { try format == .json ? JSONEncoder.forLines.line($0) : Self.text($0) }
        }

        private static func text(_ line: Line) -> String {
            let policy = "\(line.kind) \(line.policy)"
            let note = line.note.map { "; \($0)" } ?? ""
            guard let rule = line.rule, let direction = line.direction, let action = line.action else {
                return "\(policy): nothing of it\(note)"
            }
            return "\(policy): \(direction) rule \(rule) (\(action)): \(line.text ?? "")\(note)"
        }
    }
}
