import Glibc
import Testing

@testable import Export

/// Unix and TCP sockets with readers that are late, slow, or killed.
@Suite(.serialized)
struct StreamOutputTests {
    private let folder = TemporaryFolder()
    private var path: String { "\(folder.path)/socket" }
    /// The most time for a thread that waits only for the processor; one that waits for a reader never ends.
    private let ownTime = Duration.seconds(5)

    /// The guarantee: each connection carries whole lines from its first byte on, in order, none twice.
    ///
    /// Between two connections only lines may be missing that the kernel had taken over whole for the killed reader.
    @Test(arguments: [Listener.Kind.unix, .tcp])
    func connectionsCarryWholeLinesInOrder(kind: Listener.Kind) async throws {
        let total = 30_000
        let recorder = LogRecorder()
        var listener = Listener(kind, path: path)
        let port = listener.port
        let specification = listener.specification
        listener.stop()
        let output = try Output(specification, logger: recorder.logger)
        output.submit(NumberedLines.batch(0..<100))
        #expect(eventually { recorder.count("output is unavailable") == 1 })

        listener = Listener(kind, path: path, port: port)
        let first = listener.accept()
        for start in stride(from: 100, to: total, by: 100) { output.submit(NumberedLines.batch(start..<(start + 100))) }
        let seenFirst = readBytes(5_000_123, from: first)
        listener.stop()
        close(first)
        #expect(eventually { recorder.count("output is unavailable") == 2 })

        listener = Listener(kind, path: path, port: port)
        let second = listener.accept()
        async let finished = output.finish(within: .seconds(30))
        let seenSecond = readToEnd(second)
        close(second)
        let statistics = await finished

        let before = try #require(NumberedLines.numbers(in: seenFirst))
        let after = try #require(NumberedLines.numbers(in: seenSecond))
        #expect(seenFirst.count == 5_000_123)
        #expect(before == Array(0..<5000))
        #expect(seenSecond.count % NumberedLines.length == 0)
        let resumed = try #require(after.first)
        #expect(after == Array(resumed..<total))
        #expect(resumed >= 5000)
        // The kernel's buffers on both sides: 208 KiB by default on a Unix socket, at most 4 and 6 MiB for TCP.
        #expect((resumed - 5000) * NumberedLines.length <= (kind == .unix ? 512 << 10 : 12 << 20))
        #expect(statistics.delivered == total)
        #expect(statistics.dropped == 0 && statistics.queued == 0)
        #expect(statistics.reconnects == 1)
        #expect(recorder.count("output is back") == 2)
        #expect(recorder.count("output is unavailable") == 2)
    }

    @Test(arguments: [Listener.Kind.unix, .tcp])
    func slowReaderNeverBlocksProducer(kind: Listener.Kind) async throws {
        let recorder = LogRecorder()
        let listener = Listener(kind, path: path)
        let output = try Output(listener.specification, queueLimit: 1 << 20, logger: recorder.logger)
        let reader = listener.accept()
        let batch = NumberedLines.batch(0..<64)
        let started = ContinuousClock.now
        var accepted = 0
        for _ in 0..<1000 where output.submit(batch) { accepted += 1 }
        #expect(ContinuousClock.now - started < ownTime)
        #expect(output.statistics.drops == OutputDrops(queueFull: (1000 - accepted) * 64))
        // The writer is blocked; nobody reads.
        let stopped = ContinuousClock.now
        let statistics = output.finish(within: .milliseconds(200))
        #expect(try #require(recorder.closed(after: stopped)) < ownTime)
        #expect(statistics.queued == 0)
        #expect(statistics.delivered + statistics.dropped == 64_000)
        #expect(statistics.delivered > 0 && statistics.dropped >= (1000 - accepted) * 64)
        // The delivered records are exactly the whole lines that a late reader still finds.
        let seen = try #require(NumberedLines.numbers(in: readToEnd(reader)))
        close(reader)
        #expect(seen.count == statistics.delivered)
    }

    @Test(arguments: [Duration.zero, .milliseconds(150)])
    func finishDuringBackoffKeepsDeadline(limit: Duration) async throws {
        let recorder = LogRecorder()
        let output = try Output(.unix(path: path), logger: recorder.logger)
        for _ in 0..<10 { output.submit(NumberedLines.batch(0..<10)) }
        #expect(eventually { recorder.count("output is unavailable") == 1 })
        let started = ContinuousClock.now
        let statistics = output.finish(within: limit)
        #expect(try #require(recorder.closed(after: started)) < limit + ownTime)
        #expect(statistics.dropped == 100 && statistics.delivered == 0)
        #expect(output.isClosed)
    }

    /// A listener whose backlog is full does not answer a SYN.
    @Test func finishWhileConnectingKeepsDeadline() async throws {
        let listener = Listener(.tcp, backlog: 0)
        // The first ones connect and fill the backlog; the others wait for an answer when they are stopped.
        let recorders = (0..<8).map { _ in LogRecorder() }
        let outputs = try recorders.map { try Output(listener.specification, logger: $0.logger) }
        for (output, recorder) in zip(outputs, recorders) {
            output.submit(NumberedLines.batch(0..<1))
            let started = ContinuousClock.now
            let statistics = output.finish(within: .milliseconds(50))
            #expect(try #require(recorder.closed(after: started)) < ownTime)
            #expect(statistics.delivered + statistics.dropped == 1)
        }
        #expect(recorders.contains { $0.count("output open") == 0 && $0.count("output is unavailable") == 0 })
    }

    @Test func resolvesHostName() async throws {
        let listener = Listener(.tcp)
        let output = try Output(.tcp(host: "localhost", port: listener.port), logger: LogRecorder().logger)
        output.submit(NumberedLines.batch(0..<3))
        let reader = listener.accept()
        let statistics = output.finish(within: .seconds(30))
        #expect(NumberedLines.numbers(in: readToEnd(reader)) == [0, 1, 2])
        close(reader)
        #expect(statistics.delivered == 3)
    }

    /// The output detects that the reader of an idle connection has closed before it sends records there.
    @Test(arguments: [Listener.Kind.unix, .tcp])
    func closedIdleConnectionLosesNoRecords(kind: Listener.Kind) async throws {
        let recorder = LogRecorder()
        let listener = Listener(kind, path: path)
        let output = try Output(listener.specification, logger: recorder.logger)
        close(listener.accept())
        let second = listener.accept()
        output.submit(NumberedLines.batch(0..<5))
        let statistics = output.finish(within: .seconds(30))
        #expect(NumberedLines.numbers(in: readToEnd(second)) == [0, 1, 2, 3, 4])
        close(second)
        #expect(statistics.delivered == 5 && statistics.reconnects == 1)
    }
}
