import ArgumentParser
import Foundation
import Glibc
import Query
import Screen
import Store

/// `weir query`: sums recorded flows.
struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Add up recorded flows by groups.",
        discussion: """
            Groups are texts, ports, addresses and lists of texts (as JSON) of a record (docs/fields.md), or source \
            and dest (namespace/name), port (port/protocol), rule (the policy hit that decided), pending_rule, \
            pending_action. Sums are records, connections (that began), flows (active in each interval), completed, \
            bytes, bytes_in, bytes_out, packets, packets_in, packets_out, transit_bytes, transit_packets, \
            dropped_packets, each with allowed_ or denied_ in front if only those count.

            Records are summed as they are: a connection between two watched workloads has a record of each end, and one \
            that a host forwards may have a record of its host endpoint (reporter fwd), which has its traffic in \
            transit_bytes and transit_packets instead of bytes and packets; --filter 'reporter == "src"' takes one of them.

            Exit codes: 0 done, 1 the records cannot be read, 2 wrong usage.

            Examples:
              weir query --group-by source,dest --sum bytes --top 20 --since 1h
              weir query --group-by source --sum connections --service database --since 1h
              weir query --group-by source,dest,port,rule --sum denied_connections --denied
              weir query --from flows.log --group-by dest_service_name --sum bytes_out --interval 5m -o json
            """
    )

    @OptionGroup(title: "Where records are")
    var source: RecordSourceOptions

    @OptionGroup(title: "Which time")
    var range: RangeOptions

    @Option(help: ArgumentHelp("What a group has in common, with commas. Default: one group.", valueName: "names"))
    var groupBy: String?

    @Option(help: ArgumentHelp("What is added up, with commas. Default: connections,bytes.", valueName: "measures"))
    var sum: String?

    @Option(help: ArgumentHelp("A row for each point of time: 1m, 5m, 1h, or auto.", valueName: "time"))
    var interval: String?

    @Option(
        // A value may start with '-'.
        parsing: .unconditional,
        help: ArgumentHelp(
            "Order by a measure or a name; '-' in front: largest first. Default: the first measure, largest first.",
            valueName: "name"
        )
    )
    var order: String?

    @Option(help: ArgumentHelp("The most groups.", valueName: "n"))
    var top = 20

    @Option(name: [.customShort("o"), .customLong("output")], help: "table, csv or json (one object a line).")
    var format = SumFormat.table

    @OptionGroup(title: "Which records")
    var selection: RecordFilterOptions

    func validate() throws {
        guard 1...1_000_000 ~= top else { throw ValidationError("--top \(top): a number from 1 to 1000000 is needed") }
        _ = try query(since: 0, until: 3600)
    }

    func run() throws {
        let records = try source.open()
        let (since, until) = try range.range(of: records)
        let query = try query(since: since, until: until)
        do {
            let result = try records.run(query)
            try SumPrinter(query, format).print(result)
            if result.totalGroups == 0 {
                let range = "\(ClockText.full(since, offset: 0)) to \(ClockText.full(until, offset: 0)) +00"
                complain("no record matches: \(range)")
            }
        } catch let error as StoreError {
            throw CommandFailure(description: "\(error)")
        } catch let error as QueryError {
            throw CommandFailure(description: "\(error)")
        }
    }

    private func query(since: Int64, until: Int64) throws -> FlowQuery {
        let filter = try selection.filter()
        do throws(QueryError) {
            let text = QueryText(groupBy: groupBy, sum: sum, interval: interval, order: order, limit: top)
            return try text.query(since: since, until: until, filter: filter)
        } catch {
            guard case .invalid(let parameter, let reason) = error else { throw ValidationError("\(error)") }
            throw ValidationError("--\(parameter.replacing("_", with: "-")): \(reason)")
        }
    }
}
