import Agent
import Glibc
import Lab
import Testing

struct StopSourceTests {
    @Test func saysNothingUntilItIsAskedToStop() {
        let source = StopSource()
        #expect(!source.isStopped)
        #expect(!source.wait(milliseconds: 1))
    }

    @Test func staysStoppedHoweverOftenItIsAsked() {
        let source = StopSource()
        // More than a pipe holds: a stop never blocks.
        for _ in 0..<100_000 { source.stop() }
        #expect(source.isStopped)
        #expect(source.isStopped)
        #expect(source.wait(milliseconds: 0))
    }

    @Test func anotherThreadEndsAWait() throws {
        let source = StopSource()
        // Not one of a pool, whose threads other tests may hold.
        let stopping = try BackgroundWork { source.stop() }
        #expect(source.wait(milliseconds: 60_000))
        try stopping.value()
    }
}

struct StopSignalsTests {
    @Test(arguments: [SIGINT, SIGTERM])
    func theFirstSignalStopsAndTheSecondEndsTheProcess(_ signal: Int32) async {
        // The body of an exit test captures nothing: a case each.
        if signal == SIGINT {
            await #expect(processExitsWith: .exitCode(128 + SIGINT)) { signalTwice(SIGINT) }
        } else {
            await #expect(processExitsWith: .exitCode(128 + SIGTERM)) { signalTwice(SIGTERM) }
        }
    }

    @Test func aBrokenPipeIsNotTheEnd() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let signals = StopSignals(StopSource())
            raise(SIGPIPE)
            withExtendedLifetime(signals) { exit(42) }
        }
    }
}

/// Sends this process a signal, waits until it is heard, and sends it again.
private func signalTwice(_ number: Int32) {
    let stop = StopSource()
    let signals = StopSignals(stop)
    kill(getpid(), number)
    guard stop.wait(milliseconds: 20_000) else { exit(1) }
    kill(getpid(), number)
    _ = poll(nil, 0, 20_000)
    withExtendedLifetime(signals) { exit(2) }
}
