import ArgumentParser
import Filter
import FlowModel
import Query
import Store

/// Connections that were recorded, each once, and how much of the time is covered.
struct SeenConnections {
    /// Those that were allowed at both ends.
    private(set) var allowed: [RecordedConnection] = []
    /// How many were denied.
    private(set) var denied: UInt64 = 0
    /// The time, Unix seconds.
    let since: Int64
    let until: Int64
    /// Minutes of it in which nothing at all is recorded.
    let emptyMinutes: Int

    private struct Key: Hashable {
        var source: RecordedConnection.End
        var destination: RecordedConnection.End
        var proto: IPProtocol
        var port: UInt16?
    }

    /// Reads a file of records or a store.
    ///
    /// - Throws: `CommandFailure` if they cannot be read, `ValidationError` if the filter cannot be.
    init(flows: String?, store: String?, _ range: RangeOptions, _ filter: String?) throws {
        var options = try RecordSourceOptions.parse([])
        (options.store, options.from) = (store, flows)
        let records = try options.open()
        (since, until) = try range.range(of: records)
        let expression: Filter
        do { expression = try Filter(filter ?? "") } catch { throw ValidationError("--filter: \(error)") }
        var query = FlowQuery(
            since: since,
            until: until,
            filter: expression,
            groupBy: RecordedConnection.groupBy + [.field(.reporter), .field(.action)],
            sums: RecordedConnection.sums
        )
        query.limit = .max
        let (since, until) = (since, until)
        do {
            let minutes = try records.minutes(after: since, upTo: until)
            emptyMinutes = max(0, Int((until - since + 59) / 60) - minutes)
            take(try records.run(query).groups)
        } catch let error as StoreError {
            throw CommandFailure(description: "\(error)")
        } catch let error as QueryError {
            throw CommandFailure(description: "\(error)")
        }
    }

    /// What both ends report is one connection; of their counts the larger one holds.
    private mutating func take(_ groups: [FlowQueryResult.Group]) {
        var found: [Key: [String: RecordedConnection]] = [:]
        let places = RecordedConnection.groupBy.count
        for group in groups {
            guard let connection = RecordedConnection(group) else { continue }
            if group.values[places + 1] == FlowAction.deny.rawValue {
                denied &+= connection.connections
                continue
            }
            let key = Key(
                source: connection.source,
                destination: connection.destination,
                proto: connection.proto,
                port: connection.port
            )
            found[key, default: [:]][group.values[places] ?? ""] = connection
        }
        allowed = found.values.compactMap { reports in
            guard var connection = reports.values.max(by: { $0.connections < $1.connections }) else { return nil }
            connection.lastSeen = reports.values.map(\.lastSeen).max() ?? connection.lastSeen
            return connection
        }
    }
}
