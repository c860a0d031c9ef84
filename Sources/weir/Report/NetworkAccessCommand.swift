import ArgumentParser
import Foundation
import Glibc
import Query
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
                (couldReach; mixed where pods of a workload differ), and for all that was recorded. The internet is \
                evaluated as 192.0.2.1, an address without an owner, and as a destination at port 443. Policies are evaluated as the inventory has them \
                now; rulesInForce are those that decided when the connections were recorded, and json and yaml say how often \
                policies changed in that time, if the store has the changes of an audit log.

                Examples:
                  weir report network-access --inventory cluster.yaml --since 7d > access.csv
                  weir report network-access --inventory cluster.yaml --from flows.log --namespace shop --format json
                """
        )

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @OptionGroup(title: "Records")
        var source: RecordSourceOptions

        @OptionGroup(title: "Which time")
        var range: RangeOptions

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
            var access = NetworkAccess(sources.tracer, namespaces: Set(namespaces))
            try access.askAll()
            var summary: [(String, ReportTable.Value)] = []
            if hasRecords {
                let records = try source.open()
                let (since, until) = try range.range(of: records)
                try add(records, since, until, to: &access)
                summary = [
                    ("startTime", .text(ReportTime.text(since))), ("endTime", .text(ReportTime.text(until))),
                    ("namespaceNames", .texts(namespaces)),
                ]
                if let changes = try policyChanges(records, since, until) {
                    summary.append(("numPolicyChanges", .number(changes)))
                }
            } else {
                let warning =
                    "warning: there is no store at \(RecordSourceOptions.defaultStore): no recorded traffic\n"
                FileHandle.standardError.write(Data(warning.utf8))
            }
            var table = access.table
            table.summary = summary
            print(table.text(format))
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

        /// The number of policy changes that took effect in the range; nil if the records are not in a local store.
        private func policyChanges(_ records: OpenRecords, _ since: Int64, _ until: Int64) throws -> UInt64? {
            guard source.from == nil, let reader = records.reader else { return nil }
            let query = ChangeQuery(since: since * 1_000_000, until: until * 1_000_000, role: .policy)
            do {
                return UInt64(try reader.read { try $0.changes(query) }.filter { $0.outcome == "done" }.count)
            } catch {
                throw CommandFailure(description: "\(error)")
            }
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

                Example:
                  weir report inventory --inventory cluster.yaml --namespace shop --format yaml
                """
        )

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @Option(
            name: [.customLong("namespace"), .customShort("n")],
            help: "Only pods of this namespace. Repeatable."
        )
        var namespaces: [String] = []

        @Option(help: "csv, json or yaml.")
        var format = ReportFormat.csv

        func run() throws {
            let sources = try PolicySources(inventory, format: .enterprise, purpose: "report")
            try sources.load()
            var table = EndpointInventory(sources.tracer).table(namespaces: Set(namespaces))
            let time = ReportTime.text(Int64(Date().timeIntervalSince1970))
            table.summary = [
                ("time", .text(time)), ("namespaceNames", .texts(namespaces)),
                ("numEndpoints", .number(UInt64(table.rows.count))),
            ]
            print(table.text(format))
        }
    }
}
