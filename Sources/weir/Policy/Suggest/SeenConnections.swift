import ArgumentParser
import Filter
import FlowModel
import Query
import Store

/// Distinct recorded connections, and how much of the range has records.
struct SeenConnections {
    /// Connections that both ends allowed.
    private(set) var allowed: [RecordedConnection] = []
    /// The number of denied connections.
    private(set) var denied: UInt64 = 0
    /// The start of the range, Unix seconds.
    let since: Int64
    let until: Int64
    /// Minutes of the range without any records.
    let emptyMinutes: Int

    private struct Key: Hashable {
        var source: RecordedConnection.End
        var destination: RecordedConnection.End
        var proto: IPProtocol
        var port: UInt16?
    }

    /// Reads a file of records or a store.
    ///
    /// - Throws: `CommandFailure` if they cannot be read, `ValidationError` if the filter is invalid.
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

    /// Adds groups; connections reported by both ends are counted once, with the larger count.
    private mutating func take(_ groups: [FlowQueryResult.Group]) {
        var found: [Key: [String: RecordedConnection]] = [:]
        let places = RecordedConnection.groupBy.count
        for group in groups {
            guard let connection = RecordedConnection(group),
                group.values[places] != FlowReporter.forward.rawValue
            else { continue }
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
