import Filter
import Foundation
import Query
import Records
import Store

/// Records that can be asked: of a store on this host, of a file, or of a server of ClickHouse.
struct OpenRecords {
    private enum Place {
        /// The writer keeps those of a file in memory.
        case here(StoreReader, ofFile: StoreWriter?)
        case server(ClickHouseStore)
    }

    private let place: Place

    /// Records of a store, or of a file that a writer has read.
    init(_ reader: StoreReader, ofFile writer: StoreWriter? = nil) {
        place = .here(reader, ofFile: writer)
    }

    /// Records of a server.
    init(_ server: ClickHouseStore) {
        place = .server(server)
    }

    /// Reads those that are on this host; nil for a server's.
    var reader: StoreReader? {
        if case .here(let reader, _) = place { reader } else { nil }
    }

    /// The end of what is recorded: for records of a file that is what "now" is, else it is the clock's.
    func now() throws -> Int64 {
        let clock = Int64(Date().timeIntervalSince1970)
        guard case .here(let reader, .some) = place else { return clock }
        return try reader.read { try $0.extent().newest } ?? clock
    }

    /// The time from which on there are records.
    func oldest() throws -> Int64? {
        switch place {
        case .here(let reader, _): try reader.read { try $0.extent().oldest }
        case .server(let server): try server.extent().map { $0.oldest - 1 }
        }
    }

    /// Answers a query.
    ///
    /// - Throws: `QueryError` if it asks for too much, `StoreError` or `CommandFailure` if records cannot be read.
    func run(_ query: FlowQuery) throws -> FlowQueryResult {
        switch place {
        case .here(let reader, _): try reader.read { try query.run($0) }
        case .server(let server): try server.run(query)
        }
    }

    /// In how many minutes of a range something is recorded.
    func minutes(after since: Int64, upTo until: Int64) throws -> Int {
        switch place {
        case .here(let reader, _): try reader.read { try $0.minutes(after: since, upTo: until).count }
        case .server(let server): try server.minutes(after: since, upTo: until)
        }
    }

    /// Calls a body for single records.
    ///
    /// - Parameters:
    ///   - since: records end after this time, Unix seconds.
    ///   - until: records end at this time at the latest, Unix seconds.
    ///   - filter: which records.
    ///   - newestFirst: the order.
    ///   - limit: the most records; nil for all.
    ///   - body: gets a record.
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
