import Dispatch
import Glibc
package import Logging
import Synchronization

/// Ends a run on SIGINT or SIGTERM, as long as this object lives; on a terminal, another signal at least a second after the
/// first ends the process at once.
///
/// Ignores SIGPIPE: a reader that goes away is an error of write(2), not the end.
package final class StopSignals {
    /// The meaning of SIGHUP: the terminal is gone, or a service is to read its configuration again.
    package enum HangUp: Sendable {
        /// The signal ends the run as SIGTERM does.
        case ends
        /// The signal calls this closure, on a system thread.
        case calls(@Sendable () -> Void)

        fileprivate var endsRun: Bool {
            if case .ends = self { true } else { false }
        }
    }

    private static let names = [SIGINT: "SIGINT", SIGTERM: "SIGTERM", SIGHUP: "SIGHUP"]

    private let sources: [any DispatchSourceSignal]

    /// Begins to listen for signals.
    ///
    /// - Parameters:
    ///   - stop: the source that SIGINT and SIGTERM stop.
    ///   - hangUp: the meaning of SIGHUP.
    ///   - logger: for signals that have an effect.
    package init(_ stop: StopSource, hangUp: HangUp = .ends, logger: Logger? = nil) {
        signal(SIGPIPE, SIG_IGN)
        let isOnTerminal = isatty(STDIN_FILENO) == 1 || isatty(STDERR_FILENO) == 1
        let rule = Rule(SignalRule(isOnTerminal: isOnTerminal, endsOnHangUp: hangUp.endsRun))
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            let listening = DispatchSemaphore(value: 0)
            source.setRegistrationHandler { listening.signal() }
            source.setEventHandler { Self.handle(number, rule, stop, hangUp, logger) }
            source.activate()
            // Until then the signal has its default action and ends the process; if it were ignored, it would be lost.
            listening.wait()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
    }

    /// The rule, which signals of different numbers share.
    private final class Rule: Sendable {
        private let rule: Mutex<SignalRule>

        init(_ rule: SignalRule) {
            self.rule = Mutex(rule)
        }

        func receive(_ number: Int32) -> SignalRule.Action {
            rule.withLock { $0.receive(number, at: Clock.monotonic) }
        }
    }

    private static func handle(
        _ number: Int32,
        _ rule: Rule,
        _ stop: StopSource,
        _ hangUp: HangUp,
        _ logger: Logger?
    ) {
        let name = names[number] ?? "signal \(number)"
        switch rule.receive(number) {
        case .exit(let code): _exit(code)
        case .stop:
            // The stop comes first, so that a slow reader of the log does not delay the end.
            stop.stop()
            logger?.info("\(name): stopping; the last interval is written, within \(StopPlan.total) in all")
        case .ignore where number == SIGHUP:
            if case .calls(let body) = hangUp { body() }
        case .ignore:
            logger?.debug("\(name) again: the run is ending")
        }
    }
}
