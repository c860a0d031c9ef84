import Synchronization

/// Carries changed settings from whoever reads them to the run.
public final class ReloadSource: Sendable {
    /// Puts a configuration into force; returns what needs a restart after all.
    typealias Action = @Sendable (AgentConfiguration) throws(AgentError) -> [String]

    private let action = Mutex<Action?>(nil)

    /// Nobody listens yet.
    public init() {}

    /// Says what puts settings into force from now on; nil for nothing.
    func onReload(_ action: Action?) {
        self.action.withLock { $0 = action }
    }

    /// Puts into force what can be of a configuration while the run goes on, and waits until it is.
    ///
    /// These are outputs and what they get, levels, intervals, and the files of the inventory.
    ///
    /// - Parameter configuration: of which only these are looked at.
    /// - Returns: the names of settings that need a restart after all; nil if the run has not begun.
    /// - Throws: why it cannot be used. Nothing has changed then.
    package func reload(_ configuration: AgentConfiguration) throws(AgentError) -> [String]? {
        guard let action = action.withLock({ $0 }) else { return nil }
        return try action(configuration)
    }
}
