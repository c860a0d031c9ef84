import Glibc
import Testing

@testable import Agent

struct SignalRuleTests {
    /// Signals at times, in milliseconds, and the action for each.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var isOnTerminal = true
        var endsOnHangUp = false
        var signals: [(number: Int32, time: Int64, action: SignalRule.Action)]
    }

    @Test(arguments: [
        Case(testDescription: "one", signals: [(SIGTERM, 0, .stop)]),
        Case(
            testDescription: "timeout(1) sends it to the process and to its group",
            signals: [(SIGTERM, 0, .stop), (SIGTERM, 1, .ignore)]
        ),
        Case(
            testDescription: "a terminal and a service manager both",
            signals: [(SIGINT, 7, .stop), (SIGTERM, 8, .ignore), (SIGINT, 999, .ignore)]
        ),
        Case(
            testDescription: "impatience at a terminal",
            signals: [(SIGINT, 0, .stop), (SIGINT, 999, .ignore), (SIGINT, 1000, .exit(130))]
        ),
        Case(
            testDescription: "another signal, a second later",
            signals: [(SIGINT, 50, .stop), (SIGTERM, 1050, .exit(143))]
        ),
        Case(
            testDescription: "nobody at a terminal: bounded by the plan, and by SIGKILL",
            isOnTerminal: false,
            signals: [(SIGTERM, 0, .stop), (SIGTERM, 2000, .ignore), (SIGINT, 9000, .ignore)]
        ),
        Case(
            testDescription: "a hang-up is no request to stop",
            signals: [(SIGHUP, 0, .ignore), (SIGHUP, 5000, .ignore), (SIGTERM, 5001, .stop), (SIGHUP, 9000, .ignore)]
        ),
        Case(
            testDescription: "a hang-up that ends, and never at once",
            endsOnHangUp: true,
            signals: [(SIGHUP, 0, .stop), (SIGHUP, 5000, .ignore), (SIGINT, 5001, .exit(130))]
        ),
    ])
    func actionDependsOnSignalAndTime(_ row: Case) {
        var rule = SignalRule(isOnTerminal: row.isOnTerminal, endsOnHangUp: row.endsOnHangUp)
        for signal in row.signals {
            let action = rule.receive(signal.number, at: 77_000_000 + signal.time * 1_000_000)
            #expect(action == signal.action, "signal \(signal.number) at \(signal.time) ms")
        }
    }
}
