import Synchronization

/// Passes SIGHUP from its receiver to the code that opens files again.
package final class HangUpSource: Sendable {
    private let action = Mutex<(@Sendable () -> Void)?>(nil)

    /// Makes a source without a handler.
    package init() {}

    /// Sets the handler of further signals; nil for none.
    func onSignal(_ action: (@Sendable () -> Void)?) {
        self.action.withLock { $0 = action }
    }

    /// Notes that the signal was received.
    package func signal() {
        action.withLock { $0 }?()
    }
}
