import FlowModel
import Synchronization

/// A change of settings during a run, on its way through the run's threads.
///
/// The thread that reads the kernel takes it first and notes the beginnings of new files, so that a run after a crash finds
/// them. The pipeline takes it between two records, so that no record is written twice or left out.
final class Reload: Sendable {
    let pollInterval: Duration
    let flushInterval: Duration
    let levelForAllowed: AggregationLevel
    let levelForDenied: AggregationLevel
    let outputs: OutputExchange
    private let faultList = Mutex<[String]>([])
    private let done = WakeUp()

    /// Takes the new configuration, with its new outputs open.
    init(_ configuration: AgentConfiguration, outputs: OutputExchange) {
        pollInterval = configuration.pollInterval
        flushInterval = configuration.flushInterval
        levelForAllowed = configuration.levelForAllowed
        levelForDenied = configuration.levelForDenied
        self.outputs = outputs
    }

    /// Notes that it has been applied.
    ///
    /// - Parameter faults: the settings that could not be applied, with the reasons.
    func finish(_ faults: [String]) {
        faultList.withLock { $0 = faults }
        done.signal()
    }

    /// Waits until it has been applied.
    ///
    /// - Returns: the settings that could not be applied, with the reasons; nil if the time is over before.
    func wait(atMost limit: Duration) -> [String]? {
        done.wait(atMost: limit) ? faultList.withLock { $0 } : nil
    }
}

/// Passes a reload to the thread that reads the kernel, and ends its wait.
final class ReloadDesk: Sendable {
    private let state = Mutex<(waiting: Reload?, isClosed: Bool)>((nil, false))
    private let wakeUp = WakeUp()

    /// The descriptor to poll: it is readable while a reload waits.
    var descriptor: Int32 { wakeUp.descriptor }

    /// Passes a reload on.
    ///
    /// - Returns: false if the run accepts no more settings.
    func put(_ reload: Reload) -> Bool {
        let isTaken = state.withLock { state in
            guard !state.isClosed else { return false }
            state.waiting = reload
            return true
        }
        wakeUp.signal()
        return isTaken
    }

    /// Takes the reload that waits; nil if there is none.
    func take() -> Reload? {
        wakeUp.wait(atMost: .zero)
        return state.withLock { state in
            defer { state.waiting = nil }
            return state.waiting
        }
    }

    /// Accepts no more reloads.
    func close() {
        state.withLock { $0 = (nil, true) }
    }
}
