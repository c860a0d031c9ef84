import Filter
import Foundation
import Query
import Records
import Store

/// Records available for queries: in a store on this host, in a file, or on a ClickHouse server.
struct OpenRecords {
    private enum Place {
        /// The writer holds the records of a file in memory.
        case here(StoreReader, ofFile: StoreWriter?)
        case server(ClickHouseStore)
    }

    private let place: Place

    /// Takes the records of a store, or of a file that a writer has loaded.
    init(_ reader: StoreReader, ofFile writer: StoreWriter? = nil) {
        place = .here(reader, ofFile: writer)
    }

    /// Takes the records of a server.
    init(_ server: ClickHouseStore) {
        place = .server(server)
    }

    /// The reader of records on this host; nil for a server.
    var reader: StoreReader? {
        if case .here(let reader, _) = place { reader } else { nil }
    }

    /// The current time for queries, Unix seconds: the end of a file's records, otherwise the clock's time.
    func now() throws -> Int64 {
        let clock = Int64(Date().timeIntervalSince1970)
        guard case .here(let reader, .some) = place else { return clock }
        return try reader.read { try $0.extent().newest } ?? clock
    }

    /// The time from which records exist, Unix seconds; nil if there are none.
    func oldest() throws -> Int64? {
        switch place {
        case .here(let reader, _): try reader.read { try $0.extent().oldest }
        case .server(let server): try server.extent().map { $0.oldest - 1 }
        }
    }

    /// Runs a query.
    ///
    /// - Throws: `QueryError` if the query exceeds a limit, `StoreError` or `CommandFailure` if records cannot be read.
    func run(_ query: FlowQuery) throws -> FlowQueryResult {
        var query = query
        query.limits = .ofCommand
        switch place {
        case .here(let reader, _): return try reader.read { try query.run($0) }
        case .server(let server): return try server.run(query)
        }
    }

    /// The number of minutes in a range that have records.
    func minutes(after since: Int64, upTo until: Int64) throws -> Int {
        switch place {
        case .here(let reader, _): try reader.read { try $0.minutes(after: since, upTo: until).count }
        case .server(let server): try server.minutes(after: since, upTo: until)
        }
    }

    /// Calls a body for each single record.
    ///
    /// - Parameters:
    ///   - since: records end after this time, Unix seconds.
    ///   - until: records end at this time at the latest, Unix seconds.
    ///   - filter: selects the records.
    ///   - newestFirst: the order.
    ///   - limit: the maximum number of records; nil for all.
    ///   - body: receives each record.
    /// - Throws: `CommandFailure` if records cannot be read, and what the body throws.
    func forEach(
        after since: Int64,
        upTo until: Int64,
        _ filter: Filter,
        newestFirst: Bool,
        limit: Int?,
        _ body: (ReadRecord) throws -> Void
    ) throws {
        do {
            switch place {
            case .here(let reader, _):
                var count = 0
                try reader.read { snapshot in
                    try snapshot.records(after: since, upTo: until, newestFirst: newestFirst) { _, record in
                        guard filter.matches(record) else { return true }
                        guard limit.map({ count < $0 }) ?? true else { return false }
                        count += 1
                        try body(record)
                        return true
                    }
                }
            case .server(let server):
                try server.records(after: since, upTo: until, filter: filter, newestFirst: newestFirst, limit: limit) {
                    try body($0)
                    return true
                }
            }
        } catch let error as StoreError {
            throw CommandFailure(description: "\(error)")
        }
    }
}
