import Agent
import Dispatch
import Foundation
import Lab
import Logging

/// Weir on the node of a lab, on a thread of its own.
final class LabMonitor: Sendable {
    private let result = ResultBox()
    private let watching = DispatchSemaphore(value: 0)

    /// Starts it in the node's network namespace.
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

    /// Returns when the interfaces are watched; false if that failed.
    func waitUntilWatching() -> Bool {
        watching.wait()
        return !hasEnded
    }

    /// Whether the run is over.
    var hasEnded: Bool { result.isSet }

    /// The account, when the monitor has ended; once.
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

    /// What was added to them since an earlier reading.
    func counters(since earlier: [String: InterfaceCounters]) throws -> [String: InterfaceCounters] {
        try counters(of: Array(earlier.keys)).merging(earlier) { now, before in now.since(before) }
    }
}
