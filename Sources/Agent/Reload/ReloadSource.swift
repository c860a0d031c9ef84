import Synchronization

/// Passes changed settings from their reader to the run.
package final class ReloadSource: Sendable {
    /// Puts a configuration into force; returns what needs a restart after all.
    typealias Action = @Sendable (AgentConfiguration) throws(AgentError) -> [String]

    private let action = Mutex<Action?>(nil)

    /// Makes a source without a handler.
    package init() {}

    /// Sets the handler that puts settings into force; nil for none.
    func onReload(_ action: Action?) {
        self.action.withLock { $0 = action }
    }

    /// Puts into force what can be of a configuration while the run goes on, and waits until it is.
    ///
    /// These are outputs and what they get, levels, intervals, and the files of the inventory.
    ///
    /// - Parameter configuration: only these of its settings are used.
    /// - Returns: the names of settings that need a restart after all; nil if the run has not begun.
    /// - Throws: why it cannot be used. Nothing has changed then.
    package func reload(_ configuration: AgentConfiguration) throws(AgentError) -> [String]? {
        guard let action = action.withLock({ $0 }) else { return nil }
        return try action(configuration)
    }
}
