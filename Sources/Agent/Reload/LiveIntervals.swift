import Synchronization

/// The intervals of a run, which a reload of the settings may change.
final class LiveIntervals: Sendable {
    private let state: Mutex<(poll: Duration, flush: Duration)>

    /// Takes the intervals of the start.
    init(_ configuration: AgentConfiguration) {
        state = Mutex((configuration.pollInterval, configuration.flushInterval))
    }

    /// Time between scans of the flow table.
    var poll: Duration { state.withLock { $0.poll } }

    /// Time between flushes.
    var flush: Duration { state.withLock { $0.flush } }

    /// Changes both.
    func set(poll: Duration, flush: Duration) {
        state.withLock { $0 = (poll, flush) }
    }
}
