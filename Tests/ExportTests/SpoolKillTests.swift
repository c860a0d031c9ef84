import Foundation
import Glibc
import Logging
import Posix
import Testing

@testable import Export

/// kill -9 at random moments while an output spools records and delivers them to a server with faults of its own.
struct SpoolKillTests {
    /// A server like Elasticsearch, in a process of its own, that logs what it stored, `ID NUMBER` a line, also before
    /// an answer that fails.
    private static func serve(_ port: Int, _ log: String) throws -> Never {
        let file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let server = try HTTPServerStub(port: port) { request in
            let lines = request.lines
            let pairs = stride(from: 0, to: lines.count - 1, by: 2).map { (lines[$0], lines[$0 + 1]) }
            let chance = Int.random(in: 0..<100)
            if chance == 0 { return .respond(503, "busy") }
            if chance == 1 { return .close }
            var items: [String] = []
            var text = ""
            for (action, record) in pairs {
                // The server does not accept some records this time.
                if chance == 2, Int.random(in: 0..<3) == 0 {
                    items.append("{\"create\":{\"status\":429}}")
                    continue
                }
                let id = action.components(separatedBy: "\"_id\":\"").last?.prefix { $0 != "\"" } ?? ""
                let number = record.components(separatedBy: "\"number\":").last?.prefix { $0.isNumber } ?? ""
                text += "\(id) \(number)\n"
                items.append("{\"create\":{\"status\":201}}")
            }
            _ = Array(text.utf8).withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if chance == 3 { return .cut(200) }
            return .respond(200, "{\"errors\":\(chance == 2),\"items\":[\(items.joined(separator: ","))]}")
        }
        while true { withExtendedLifetime(server) { _ = pause() } }
    }

    private static func output(_ port: Int, _ spool: String) throws -> Output {
        var options = OutputOptions()
        options.spoolFolder = spool
        options.http.timeout = .seconds(5)
        // The server unpacks with Dispatch, whose threads a forked process does not have.
        options.http.isCompressing = false
        return try Output(
            try OutputSpecification(parsing: "elasticsearch:http://127.0.0.1:\(port)"),
            options: options,
            logger: Logger(label: "none") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// Writes batches of records with numbers of its own until it is killed, and reports over a pipe which of them the
    /// output has accepted: they are on the disk.
    private static func writeForever(_ port: Int, _ spool: String, from first: Int, to pipe: Int32) throws {
        let output = try output(port, spool)
        var next = first
        while true {
            var text = ""
            for number in next..<(next + 10) { text += "{\"start_time\":1,\"end_time\":2,\"number\":\(number)}\n" }
            next += 10
            let said = next
            output.submit(RecordBatch(bytes: Array(text.utf8), records: 10), waitingUntil: .now + .seconds(60))
            output.mark {
                var value = Int64(said)
                Glibc.write(pipe, &value, 8)
            }
            // The rate is about that of the server, so that kills occur while the spool grows and while it is empty.
            usleep(2_000)
        }
    }

    /// Delivers the remaining records; returns the number of records that are left after a sufficient time.
    private static func drain(_ port: Int, _ spool: String) throws -> Int {
        let output = try output(port, spool)
        let deadline = ContinuousClock.now + .seconds(300)
        while output.waitingBytes > 0 || output.statistics.queued > 0, ContinuousClock.now < deadline { usleep(1_000) }
        return output.finish(within: .seconds(10)).queued
    }

    /// Runs a part in a process of its own, which ends by itself.
    private static func fork(_ body: () throws -> Int32) -> Int32 {
        let child = forkProcess()
        if child == 0 { _exit((try? body()) ?? 1) }
        return child
    }

    /// Every record that the output has accepted arrives; under an identifier there is one record, and a record has one.
    @Test func acceptedRecordsSurviveKills() async {
        let end = await #expect(processExitsWith: .exitCode(42), observing: [\.standardOutputContent]) {
            let folder = TemporaryFolder()
            let spool = folder.path + "/spool"
            let log = folder.path + "/log"
            let port = Int(Listener(.tcp).port)
            let server = SpoolKillTests.fork { try SpoolKillTests.serve(port, log) }
            var kills = Kills(within: .seconds(6))
            var accepted: [Range<Int>] = []
            while kills.goOn {
                var ends: [Int32] = [-1, -1]
                pipe(&ends)
                let first = kills.done * 1_000_000
                let child = SpoolKillTests.fork {
                    try SpoolKillTests.writeForever(port, spool, from: first, to: ends[1])
                    return 1
                }
                close(ends[1])
                kills.kill(child, after: 20_000...150_000)
                let said = readToEnd(ends[0])
                close(ends[0])
                let values = said.withUnsafeBytes { bytes in
                    (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self) }
                }
                if let last = values.max() { accepted.append(first..<Int(last)) }
            }
            var status: Int32 = 0
            waitpid(SpoolKillTests.fork { try SpoolKillTests.drain(port, spool) == 0 ? 0 : 1 }, &status, 0)
            let isDrained = status == 0
            kill(server, SIGKILL)
            waitpid(server, &status, 0)
            let lines = String(decoding: folder.read("log"), as: UTF8.self).split(separator: "\n").count
            let stored = try #require(SpoolKillTests.stored(log), "an identifier stands for two records")
            let numbers = Set(stored.values)
            let sum = accepted.reduce(0) { $0 + $1.count }
            let lost = accepted.reduce(0) { $0 + $1.count { !numbers.contains($0) } }
            print(
                "\(kills.done) kills: \(sum) records accepted, \(lost) of them lost, \(lines - stored.count) came again and are",
                "known by their identifiers, \(stored.count - numbers.count) twice; drained: \(isDrained)"
            )
            try? FileManager.default.removeItem(atPath: folder.path)
            let isRight = isDrained && lost == 0 && stored.count == numbers.count
            exit(isRight && sum > 0 && kills.done >= Kills.least ? 42 : 2)
        }
        Kills.show(end)
    }

    /// Returns the server's records by identifier; nil if one identifier stands for two records.
    private static func stored(_ path: String) -> [String: Int]? {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        var stored: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ")
            guard parts.count == 2, let number = Int(parts[1]) else { return nil }
            if let former = stored.updateValue(number, forKey: String(parts[0])), former != number { return nil }
        }
        return stored
    }
}
