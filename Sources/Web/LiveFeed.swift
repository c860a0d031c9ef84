package import Export
import Glibc
import Synchronization

/// Delivers the records of a run to clients of the live HTTP stream.
///
/// Without clients, no record is encoded for the feed (``isWanted``). A client that reads too slowly loses records and receives
/// the number of lost ones; it does not delay other clients or the run.
package final class LiveFeed: RecordTap {
    /// The data that a client has not read yet.
    struct Piece: Sendable {
        /// Lines of records, one element per batch.
        var batches: [[UInt8]] = []
        /// Records dropped before these batches because the queue was full, regardless of the filter.
        var lost = 0
        /// Whether this is the last piece.
        var isLast = false
    }

    private struct Client {
        var piece = Piece()
        var bytes = 0
    }

    private struct State {
        var clients: [Int: Client] = [:]
        var next = 0
        var isEnded = false
    }

    private let state = Mutex(State())

    /// The maximum size of the data queued for a client, bytes.
    private static let limit = 16 << 20
    /// The maximum time that a run waits at its end for clients to read the last records.
    private static let patience = Duration.seconds(1)

    /// Creates a feed without clients.
    package init() {}

    /// Whether any client is connected.
    package var isWanted: Bool { state.withLock { !$0.clients.isEmpty } }

    /// Queues a batch for every client.
    package func take(_ batch: RecordBatch) {
        state.withLock { state in
            for key in Array(state.clients.keys) {
                if state.clients[key, default: Client()].bytes + batch.bytes.count <= Self.limit {
                    state.clients[key]?.piece.batches.append(batch.bytes)
                    state.clients[key]?.bytes += batch.bytes.count
                } else {
                    state.clients[key]?.piece.lost += batch.records
                }
            }
        }
    }

    /// Does nothing: all data is delivered immediately.
    package func endFlush() {}

    /// Ends the feed, and waits up to one second until all clients have read their data.
    package func finish(by deadline: ContinuousClock.Instant) {
        state.withLock { $0.isEnded = true }
        let end = min(deadline, .now + Self.patience)
        while state.withLock({ !$0.clients.isEmpty }), ContinuousClock.now < end { usleep(2_000) }
    }

    // MARK: Clients

    /// Registers a client and starts to queue records for it; returns its number.
    func begin() -> Int {
        state.withLock { state in
            state.next += 1
            state.clients[state.next] = Client()
            return state.next
        }
    }

    /// The data queued since the client's last call; `isLast` once the run has ended.
    func take(for client: Int) -> Piece {
        state.withLock { state in
            var piece = state.clients[client]?.piece ?? Piece()
            piece.isLast = state.isEnded
            state.clients[client] = Client()
            return piece
        }
    }

    /// Unregisters a client.
    func end(_ client: Int) {
        state.withLock { $0.clients[client] = nil }
    }
}
