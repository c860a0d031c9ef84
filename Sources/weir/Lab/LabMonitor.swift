import Agent
import Dispatch
import Foundation
import Lab
import Logging

/// Runs Weir on the node of a lab, on its own thread.
final class LabMonitor: Sendable {
    private let result = ResultBox()
    private let watching = DispatchSemaphore(value: 0)

    /// Starts the agent in the node's network namespace.
    init(
        in node: NetworkNamespace,
        _ configuration: AgentConfiguration,
        _ logger: Logger,
        _ stop: StopSource
    ) {
        let (result, watching) = (result, watching)
        Thread.detachNewThread {
            result.set(
                Result {
                    try node.run {
                        try Agent(configuration, logger: logger).run(until: stop) { watching.signal() }
                    }
                }
            )
            watching.signal()
        }
    }

    /// Waits until the interfaces are watched; returns false if that failed.
    func waitUntilWatching() -> Bool {
        watching.wait()
        return !hasEnded
    }

    /// Whether the run has ended.
    var hasEnded: Bool { result.isSet }

    /// The account, after the monitor has ended; may be called once.
    func report() throws -> AccountReport {
        try result.wait().get().report
    }
}

extension NetworkNamespace {
    /// The kernel's counters of interfaces, by name.
    func counters(of interfaces: [String]) throws -> [String: InterfaceCounters] {
        var counters: [String: InterfaceCounters] = [:]
        for interface in interfaces { counters[interface] = try self.counters(of: interface) }
        return counters
    }

    /// The increments of the counters since an earlier reading.
    func counters(since earlier: [String: InterfaceCounters]) throws -> [String: InterfaceCounters] {
        try counters(of: Array(earlier.keys)).merging(earlier) { now, before in now.since(before) }
    }
}
