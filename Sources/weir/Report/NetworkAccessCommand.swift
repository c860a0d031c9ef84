import ArgumentParser
import Audit
import Foundation
import Glibc
import Query
import Records
import Store

extension ReportCommand {
    /// `weir report network-access`: reports possible and recorded access.
    struct NetworkAccessReport: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "network-access",
            abstract:
                "Report which endpoints could reach which under the policies in force, and which did in a range of time.",
            discussion: """
                A row for each workload, each port that services lead to and each other workload that policies let reach it \
                (couldReach; mixed where pods of a workload differ, and domain where it depends on the destination's domain \
                name, which is not known), and for all that was recorded. The internet is \
                evaluated as 192.0.2.1, an address without an owner, and as a destination at port 443. rulesInForce are those \
                that decided when the connections were recorded.

                With the changes of an audit log, in the store or in --audit-log, policies are evaluated as they were at \
                the beginning of the range and after each change in it: couldReach is the answer at its end, and \
                couldReachOverTime has all of them, where they differ. Objects whose earlier state is not in the log \
                (statesUnknown of json and yaml) count as they are now, and so do pods and services. Without changes, policies \
                are those of now.

                Examples:
                  weir report network-access --inventory cluster.yaml --since 7d > access.csv
                  weir report network-access --inventory cluster.yaml --from flows.log --namespace shop --format json
                  weir report network-access --inventory cluster.yaml --since 7d --audit-log kube-audit.log
                """
        )

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @OptionGroup(title: "Records")
        var source: RecordSourceOptions

        @OptionGroup(title: "Which time")
        var range: RangeOptions

        @OptionGroup
        var history: PolicyHistoryOptions

        @Option(
            name: [.customLong("namespace"), .customShort("n")],
            help: "Only connections from or to this namespace. Repeatable."
        )
        var namespaces: [String] = []

        @Option(help: "csv, json or yaml.")
        var format = ReportFormat.csv

        func run() throws {
            let sources = try PolicySources(inventory, format: .enterprise, purpose: "report")
            try sources.load()
            var summary: [(String, ReportTable.Value)] = []
            var access: NetworkAccess
            if hasRecords {
                let records = try source.open()
                let (since, until) = try range.range(of: records)
                let changes = try history.changes(store: source.from == nil ? records.reader : nil)
                summary = named(since * 1_000_000..<until * 1_000_000)
                access = try ask(sources, changes, since * 1_000_000..<until * 1_000_000, &summary)
                try add(records, since, until, to: &access)
            } else {
                let changes = try history.changes(store: nil)
                let range = try history.range(range, changes)
                summary = named(range)
                access = try ask(sources, changes, range, &summary)
                let warning =
                    "warning: there is no store at \(RecordSourceOptions.defaultStore): no recorded traffic"
                complain(warning)
            }
            var table = access.table
            table.summary = summary
            printJSON(table.text(format))
        }

        /// The range and the namespaces as members of the summary.
        private func named(_ range: Range<Int64>) -> [(String, ReportTable.Value)] {
            [
                ("startTime", .text(ReportTime.text(range.lowerBound / 1_000_000))),
                ("endTime", .text(ReportTime.text(range.upperBound / 1_000_000))),
                ("namespaceNames", .texts(namespaces)),
            ]
        }

        private var hasRecords: Bool {
            source.store != nil || source.from != nil || access(RecordSourceOptions.defaultStore, F_OK) == 0
        }

        private func add(
            _ records: OpenRecords,
            _ since: Int64,
            _ until: Int64,
            to access: inout NetworkAccess
        ) throws {
            var query = FlowQuery(
                since: since,
                until: until,
                filter: try RecordFilterOptions.parse([]).filter(),
                groupBy: NetworkAccess.groupBy,
                sums: NetworkAccess.sums
            )
            query.limit = .max
            do {
                access.add(try records.run(query).groups)
            } catch let error as StoreError {
                throw CommandFailure(description: "\(error)")
            } catch let error as QueryError {
                throw CommandFailure(description: "\(error)")
            }
        }

        /// The most evaluations of the whole report, as a multiple of those of one state.
        ///
        /// A change is evaluated only for the pairs that it may affect.
        private static let mostRounds = 64
        /// The most states of the policies that are evaluated.
        private static let mostStates = 4096

        /// Evaluates the policies at the beginning of a range, after each change in it, and at its end.
        private func ask(
            _ sources: PolicySources,
            _ changes: [ChangeRecord]?,
            _ range: Range<Int64>,
            _ summary: inout [(String, ReportTable.Value)]
        ) throws -> NetworkAccess {
            guard let changes else {
                var access = NetworkAccess(sources.tracer, namespaces: Set(namespaces))
                try access.askAll()
                return access
            }
            let history = PolicyHistory(changes)
            var unknown: Set<String> = []
            func state(at time: Int64, _ scope: PolicyHistory.Scope) throws -> NetworkAccess {
                let earlier = try history.sources(sources, at: time)
                unknown.formUnion(earlier.unknown)
                var access = NetworkAccess(earlier.sources.tracer, namespaces: Set(namespaces))
                try access.askAll(scope)
                return access
            }
            let first = try state(at: range.lowerBound, .all)
            let (times, leftOut) = Self.evaluated(history.times(in: range), of: first)
            var access = first
            access.go(to: first, at: range.lowerBound)
            for (index, step) in times.enumerated() {
                // Changes that were left out before the first step may affect any pair.
                access.go(to: try state(at: step.time, index == 0 && leftOut > 0 ? .all : step.scope), at: step.time)
            }
            let policyChanges = changes.count { change in
                change.role == .policy && change.outcome == AuditOutcome.done.rawValue
                    && range.contains(ChangeRecord.microseconds(change.time))
            }
            summary += [
                ("numPolicyChanges", .number(UInt64(policyChanges))),
                ("numPolicyStates", .number(UInt64(times.count + 1))),
                ("numPolicyStatesLeftOut", .number(UInt64(leftOut))),
                ("statesUnknown", .texts(unknown.sorted())),
            ]
            return access
        }

        /// The evaluated changes: the last ones that affect the report.
        private static func evaluated(
            _ times: [(time: Int64, scope: PolicyHistory.Scope)],
            of access: NetworkAccess
        ) -> (times: [(time: Int64, scope: PolicyHistory.Scope)], leftOut: Int) {
            let all = access.questions(.all)
            var costs: [Set<String>: Int] = [:]
            let steps = times.compactMap { step -> (time: Int64, scope: PolicyHistory.Scope, cost: Int)? in
                guard case .namespaces(let names) = step.scope else { return (step.time, step.scope, all) }
                let cost = costs[names] ?? access.questions(step.scope)
                costs[names] = cost
                return cost > 0 ? (step.time, step.scope, cost) : nil
            }
            // The state at the beginning, and the first one after the changes that are left out, are evaluated completely.
            var rest = all * (mostRounds - 1)
            var count = 0
            for step in steps.reversed() {
                guard step.cost <= rest, count < mostStates else { break }
                rest -= step.cost
                count += 1
            }
            return (steps.suffix(count).map { ($0.time, $0.scope) }, steps.count - count)
        }
    }

    /// `weir report inventory`: reports the policies and services of each pod.
    struct InventoryReport: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inventory",
            abstract: "List pods with the policies that apply to them and the services that lead to them.",
            discussion: """
                A pod is protected in a direction if a policy in force applies to it there; staged policies do not count. \
                The columns ingressProtected, egressProtected, appliedPolicies and services are those of Calico's report.

                With --at, policies are those of an earlier time, by the changes of an audit log in --audit-log or \
                --store; pods and services are those of now.

                Examples:
                  weir report inventory --inventory cluster.yaml --namespace shop --format yaml
                  weir report inventory --inventory cluster.yaml --at 24h --store /var/lib/weir/flows.db
                """
        )

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @Option(
            name: [.customLong("namespace"), .customShort("n")],
            help: "Only pods of this namespace. Repeatable."
        )
        var namespaces: [String] = []

        @Option(
            help: ArgumentHelp(
                "Policies of this time: 15m, 24h or 7d ago, Unix seconds, RFC 3339. Default: now.",
                valueName: "time"
            )
        )
        var at: String?

        @Option(help: ArgumentHelp("For --at, the store that weir run --store writes.", valueName: "path"))
        var store: String?

        @OptionGroup
        var history: PolicyHistoryOptions

        @Option(help: "csv, json or yaml.")
        var format = ReportFormat.csv

        func validate() throws {
            if let at, TimePoint.parse(at, now: 1 << 36) == nil {
                throw ValidationError("--at \(at): \(TimePoint.forms) is needed")
            }
            guard (at != nil) == (store != nil || !history.logs.isEmpty) else {
                throw ValidationError("--at needs --store or --audit-log, and these need --at")
            }
        }

        func run() throws {
            var sources = try PolicySources(inventory, format: .enterprise, purpose: "report")
            try sources.load()
            let now = Int64(Date().timeIntervalSince1970)
            let time = at.flatMap { TimePoint.parse($0, now: now) } ?? now
            var unknown: [String]?
            if at != nil {
                let changes: [ChangeRecord]
                do {
                    changes = try history.changes(store: try store.map { try StoreReader(path: $0) }) ?? []
                } catch let error as StoreError {
                    throw CommandFailure(description: "--store \(store ?? ""): \(error)")
                }
                let earlier = try PolicyHistory(changes).sources(sources, at: time * 1_000_000)
                sources = earlier.sources
                unknown = earlier.unknown
            }
            var table = EndpointInventory(sources.tracer).table(namespaces: Set(namespaces))
            table.summary = [
                ("time", .text(ReportTime.text(time))), ("namespaceNames", .texts(namespaces)),
                ("numEndpoints", .number(UInt64(table.rows.count))),
            ]
            if let unknown { table.summary.append(("statesUnknown", .texts(unknown))) }
            printJSON(table.text(format))
        }
    }
}
