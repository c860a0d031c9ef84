import Agent
import Glibc
import Lab
import Logging
import Synchronization
import Testing

struct StopSourceTests {
    @Test func isNotStoppedInitially() {
        let source = StopSource()
        #expect(!source.isStopped)
        #expect(!source.wait(milliseconds: 1))
    }

    @Test func repeatedStopsDoNotBlock() {
        let source = StopSource()
        // More than a pipe holds: a stop never blocks.
        for _ in 0..<100_000 { source.stop() }
        #expect(source.isStopped)
        #expect(source.isStopped)
        #expect(source.wait(milliseconds: 0))
    }

    @Test func stopFromAnotherThreadEndsWait() throws {
        let source = StopSource()
        // Not one of a pool, whose threads other tests may hold.
        let stopping = try BackgroundWork { source.stop() }
        #expect(source.wait(milliseconds: 60_000))
        try stopping.value()
    }
}

struct StopSignalsTests {
    @Test(arguments: [SIGINT, SIGTERM])
    func immediateSecondSignalIsIgnored(_ signal: Int32) async {
        // The body of an exit test captures nothing: a case each.
        if signal == SIGINT {
            await #expect(processExitsWith: .exitCode(42)) { signalTwiceAtOnce(SIGINT) }
        } else {
            await #expect(processExitsWith: .exitCode(42)) { signalTwiceAtOnce(SIGTERM) }
        }
    }

    @Test func secondSignalAfterOneSecondExitsOnTerminal() async {
        await #expect(processExitsWith: .exitCode(128 + SIGTERM)) {
            guard openTerminal() else { exit(3) }
            let stop = StopSource()
            let signals = StopSignals(stop)
            kill(getpid(), SIGTERM)
            guard stop.wait(milliseconds: 20_000) else { exit(1) }
            usleep(1_000_000)
            kill(getpid(), SIGTERM)
            _ = poll(nil, 0, 20_000)
            withExtendedLifetime(signals) { exit(2) }
        }
    }

    @Test func hangUpCallsHandlerWithoutStopping() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let stop = StopSource()
            let calls = Mutex(0)
            let signals = StopSignals(stop, hangUp: .calls { calls.withLock { $0 += 1 } })
            kill(getpid(), SIGHUP)
            guard eventually({ calls.withLock { $0 == 1 } }), !stop.isStopped else { exit(1) }
            withExtendedLifetime(signals) { exit(42) }
        }
    }

    @Test func hangUpStopsByDefault() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let stop = StopSource()
            let signals = StopSignals(stop)
            kill(getpid(), SIGHUP)
            guard stop.wait(milliseconds: 20_000) else { exit(1) }
            withExtendedLifetime(signals) { exit(42) }
        }
    }

    @Test func brokenPipeSignalIsIgnored() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let signals = StopSignals(StopSource())
            raise(SIGPIPE)
            withExtendedLifetime(signals) { exit(42) }
        }
    }
}

/// Makes a pseudoterminal standard input.
private func openTerminal() -> Bool {
    // asm-generic/ioctls.h; the C library's functions for it are not shown to Swift.
    let (unlock, openPeer): (UInt, UInt) = (0x4004_5431, 0x5441)
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var locked: Int32 = 0
    guard terminal >= 0, ioctl(terminal, unlock, &locked) == 0 else { return false }
    let peer = ioctl(terminal, openPeer, O_RDWR | O_NOCTTY)
    return peer >= 0 && dup2(peer, STDIN_FILENO) == STDIN_FILENO && isatty(STDIN_FILENO) == 1
}

/// Sends this process a signal, waits until it is taken, sends it again, and exits with 42 when that is taken, too.
private func signalTwiceAtOnce(_ number: Int32) {
    let stop = StopSource()
    let recorder = LogRecorder()
    let signals = StopSignals(stop, logger: recorder.logger(at: .debug))
    kill(getpid(), number)
    guard stop.wait(milliseconds: 20_000) else { exit(1) }
    kill(getpid(), number)
    guard eventually({ recorder.has("again: the run is ending") }) else { exit(2) }
    withExtendedLifetime(signals) { exit(42) }
}
