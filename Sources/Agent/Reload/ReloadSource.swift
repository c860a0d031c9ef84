import Synchronization

/// Passes changed settings from their reader to the run.
package final class ReloadSource: Sendable {
    /// Applies a configuration; returns the settings that nevertheless need a restart.
    typealias Action = @Sendable (AgentConfiguration) throws(AgentError) -> [String]

    private let action = Mutex<Action?>(nil)

    /// Makes a source without a handler.
    package init() {}

    /// Sets the handler that applies settings; nil for none.
    func onReload(_ action: Action?) {
        self.action.withLock { $0 = action }
    }

    /// Applies the settings of a configuration that can change during a run, and waits until they are applied.
    ///
    /// These are outputs and their selections, levels, intervals, and the files of the inventory.
    ///
    /// - Parameter configuration: only these of its settings are used.
    /// - Returns: the names of settings that nevertheless need a restart; nil if the run has not begun.
    /// - Throws: the reason why the configuration cannot be used. Nothing has changed then.
    package func reload(_ configuration: AgentConfiguration) throws(AgentError) -> [String]? {
        guard let action = action.withLock({ $0 }) else { return nil }
        return try action(configuration)
    }
}
