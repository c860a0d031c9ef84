import Synchronization

/// Carries SIGHUP from whoever receives it to whoever opens files again.
public final class HangUpSource: Sendable {
    private let action = Mutex<(@Sendable () -> Void)?>(nil)

    /// Nobody listens yet.
    public init() {}

    /// Says what a signal does from now on; nil for nothing.
    func onSignal(_ action: (@Sendable () -> Void)?) {
        self.action.withLock { $0 = action }
    }

    /// The signal came.
    public func signal() {
        action.withLock { $0 }?()
    }
}
