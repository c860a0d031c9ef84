import Glibc
import Logging
import Testing

@testable import Export

/// Cases that need a process of their own: standard output, and the count of open files.
struct OutputProcessTests {
    @Test func writesToStandardOutputUntilReaderCloses() async {
        await #expect(processExitsWith: .exitCode(42)) {
            var ends: [Int32] = [-1, -1]
            pipe(&ends)
            dup2(ends[1], STDOUT_FILENO)
            close(ends[1])
            let closed = LogRecorder()
            let output = try Output(.standardOutput, logger: LogRecorder().logger) {
                closed.logger.info("closed by itself")
            }
            output.submit(NumberedLines.batch(0..<3))
            guard NumberedLines.numbers(in: readBytes(3000, from: ends[0])) == [0, 1, 2] else { exit(1) }
            // The flags of the shared open file are as they were.
            guard fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK == 0 else { exit(2) }
            // The pipe is full, and nobody reads.
            for _ in 0..<5 { output.submit(NumberedLines.batch(0..<100)) }
            guard eventually({ output.statistics.delivered == 3 }), !output.isClosed else { exit(3) }
            close(ends[0])
            guard eventually({ closed.count("closed by itself") == 1 }), output.isClosed else { exit(4) }
            let statistics = output.finish(within: .seconds(30))
            // Lines left unread in the pipe were not delivered.
            guard statistics.queued == 0, statistics.drops == OutputDrops(unsent: 500) else { exit(5) }
            guard statistics.delivered == 3, !output.submit(NumberedLines.batch(0..<1)) else { exit(6) }
            exit(42)
        }
    }

    @Test func rejectsClosedStandardOutput() async {
        await #expect(processExitsWith: .exitCode(42)) {
            // As the program does with descriptors that its caller closed.
            dup2(open("/dev/null", O_RDONLY), STDOUT_FILENO)
            do {
                _ = try Output(.standardOutput, logger: LogRecorder().logger)
            } catch {
                exit("\(error)".contains("start with standard output open") ? 42 : 2)
            }
            exit(1)
        }
    }

    @Test func idleStandardOutputDetectsClosedReader() async {
        await #expect(processExitsWith: .exitCode(42)) {
            var ends: [Int32] = [-1, -1]
            pipe(&ends)
            dup2(ends[1], STDOUT_FILENO)
            close(ends[1])
            let output = try Output(.standardOutput, logger: LogRecorder().logger)
            close(ends[0])
            exit(eventually { output.isClosed } ? 42 : 1)
        }
    }

    @Test func closesAllFilesOfHundredOutputs() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let folder = TemporaryFolder()
            let tcp = Listener(.tcp)
            let udp = Listener(.udp)
            let specifications: [OutputSpecification] = [
                .file(path: "\(folder.path)/log"), .unix(path: "\(folder.path)/absent"), tcp.specification,
                udp.specification, .tcp(host: "localhost", port: 1), .file(path: "/dev/full"),
            ]
            func round() async throws {
                for specification in specifications {
                    let output = try Output(specification, logger: LogRecorder().logger)
                    output.submit(NumberedLines.batch(0..<2))
                    _ = output.finish(within: .milliseconds(2))
                    if specification == tcp.specification {
                        while let entry = Optional(tcp.accept(within: 0)), entry >= 0 { close(entry) }
                    }
                }
                _ = try? Output(.file(path: "\(folder.path)/no/folder"), logger: LogRecorder().logger)
                _ = try Output(.file(path: "\(folder.path)/log"), logger: LogRecorder().logger)
            }
            try await round()
            // Lookups and dropped outputs may still be closing.
            guard eventually({ openFiles() < 40 }) else { exit(1) }
            let before = openFiles()
            for _ in 0..<100 { try await round() }
            folder.remove()
            exit(eventually { openFiles() <= before } ? 42 : 2)
        }
    }
}

/// Returns the number of descriptors that this process has open.
private func openFiles() -> Int {
    (0..<1024).count { fcntl(Int32($0), F_GETFD) >= 0 }
}
