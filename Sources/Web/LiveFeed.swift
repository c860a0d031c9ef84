package import Export
import Glibc
import Synchronization

/// The records of a run on their way to clients that watch it live over HTTP.
///
/// Where nobody watches, no record is encoded for it (``isWanted``). A client that is too slow has gaps, which it is told of;
/// nobody else waits for it.
package final class LiveFeed: RecordTap {
    /// What a client has not taken yet.
    struct Piece: Sendable {
        /// Lines of records, a batch each.
        var batches: [[UInt8]] = []
        /// Records that found no room before these, of whatever filter.
        var lost = 0
        /// Whether nothing comes after this.
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

    /// The most bytes that may wait for a client.
    private static let limit = 16 << 20
    /// How long a run waits at its end for clients that take the last records.
    private static let patience = Duration.seconds(1)

    /// Nobody watches yet.
    package init() {}

    /// Whether somebody watches.
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

    /// Nothing is kept back that an interval's end would release.
    package func endFlush() {}

    /// Takes no more, and waits until all clients have taken what there is, for a second at most.
    package func finish(by deadline: ContinuousClock.Instant) {
        state.withLock { $0.isEnded = true }
        let end = min(deadline, .now + Self.patience)
        while state.withLock({ !$0.clients.isEmpty }), ContinuousClock.now < end { usleep(2_000) }
    }

    // MARK: Clients

    /// Begins to keep records for a client; returns its number.
    func begin() -> Int {
        state.withLock { state in
            state.next += 1
            state.clients[state.next] = Client()
            return state.next
        }
    }

    /// What came since the client asked last; `isLast` once the run has ended.
    func take(for client: Int) -> Piece {
        state.withLock { state in
            var piece = state.clients[client]?.piece ?? Piece()
            piece.isLast = state.isEnded
            state.clients[client] = Client()
            return piece
        }
    }

    /// Keeps nothing more for a client.
    func end(_ client: Int) {
        state.withLock { $0.clients[client] = nil }
    }
}
