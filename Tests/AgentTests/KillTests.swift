import Agent
import Foundation
import Lab
import Testing

/// Runs that are killed at any moment, and the runs that resume their state.
@Suite(.serialized, .needsRoot)
struct KillTests {
    /// The number of runs to kill; without it, as many as fit into the time.
    private static let kills = ProcessInfo.processInfo.environment["WEIR_KILLS"].flatMap(Int.init)
    private static let time = Duration.seconds(25)

    /// The second table of two is one of another layout, as a new version of the program may have: the runs take turns.
    @Test(arguments: [
        ("auto", [16_384]), ("clsact", [16_384]), ("auto", [16_384, 32_768]), ("clsact", [16_384, 32_768]),
    ])
    func countsEachPacketOnceAcrossKills(_ attach: String, _ tables: [Int]) throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let path = folder.file("flows.log")
        let arguments = [
            "--output", "file:" + path, "--file-max-size", "off", "--bpffs", bpffs.path, "--attach", attach,
            "--poll-interval", "100ms",
        ]
        func table(_ run: Int) -> [String] { ["--table-slots", "\(tables[run % tables.count])"] }
        // No run counts packets that pass before the first run watches.
        var process = try start(arguments + table(0), in: cable.node, folder)
        let isWatching = eventually { process.errors.contains("watching eth0 ") || process.hasEnded }
        try #require(isWatching && !process.hasEnded, "\(process.errors)")
        let wire = try WireCounters(in: cable.node)
        let traffic = try SweepTraffic(cable, flows: Self.flows)
        var numbers = SystemRandomNumberGenerator()
        let deadline = ContinuousClock.now + Self.time / 4
        var killed = 0
        while true {
            usleep(UInt32.random(in: 0...3_000_000, using: &numbers))
            #expect(!process.hasEnded, "\(process.errors)")
            process.signal(SIGKILL)
            _ = process.wait()
            killed += 1
            guard Self.kills.map({ killed < $0 }) ?? (ContinuousClock.now < deadline) else { break }
            process = try start(arguments + table(killed), in: cable.node, folder)
        }
        let last = try WeirRun(in: cable.node, folder, arguments + table(killed))
        try last.waitFor("a previous agent")
        try traffic.end()
        try last.finish()

        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasSuffix("\n"))
        let whole = try text.split(separator: "\n").map { try RecordLine($0) }
        let sums = RecordSums(whole)
        let received = sums.received.filter { $0.key.proto == "udp" }
        let expected = try wire.flows().filter { $0.key.proto == "udp" }
        let different = expected.keys.filter { received[$0] != expected[$0] }
        #expect(different.isEmpty && received.count == expected.count, "after \(killed) kills: \(different.prefix(3))")
        #expect(received.count == Self.flows)
        let all = try wire.flows().values.reduce(Count(), +)
        #expect(sums.totalReceived == all)
        #expect(try last.report().balanced)
        #expect(!FileManager.default.fileExists(atPath: bpffs.path + "/weir"))
        let sum = received.values.reduce(Count(), +)
        print("killed \(killed) times (\(attach), tables of \(tables) slots): \(sum) in records")
    }

    /// Files rotate meanwhile, and a server is unreachable at times and does not acknowledge all records that it stored: the
    /// records that a killed run left in files and in the spool are neither lost nor repeated.
    @Test func rotatedFilesAndServerHaveEachRecordOnce() throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let server = try SearchServer(in: cable.node)
        let arguments = [
            "--output", "file:" + folder.file("flows.log"), "--file-max-size", "100K", "--file-max-files", "10000",
            "--output", "elasticsearch:" + server.url + ";gzip=off", "--spool-dir", folder.file("spool"),
            "--bpffs", bpffs.path, "--poll-interval", "100ms", "--table-slots", "16384",
        ]
        var process = try start(arguments, in: cable.node, folder)
        let isWatching = eventually { process.errors.contains("watching eth0 ") || process.hasEnded }
        try #require(isWatching && !process.hasEnded, "\(process.errors)")
        let wire = try WireCounters(in: cable.node)
        let traffic = try SweepTraffic(cable, flows: Self.flows)
        var numbers = SystemRandomNumberGenerator()
        let deadline = ContinuousClock.now + Self.time / 2
        var killed = 0
        var discarded = 0
        while true {
            server.setAway(Int.random(in: 0..<3, using: &numbers) == 0)
            usleep(UInt32.random(in: 0...3_000_000, using: &numbers))
            #expect(!process.hasEnded, "\(process.errors)")
            process.signal(SIGKILL)
            _ = process.wait()
            killed += 1
            if process.errors.contains("discarded the last records") { discarded += 1 }
            guard Self.kills.map({ killed < $0 }) ?? (ContinuousClock.now < deadline) else { break }
            process = try start(arguments, in: cable.node, folder)
        }
        server.setAway(false)
        let last = try WeirRun(in: cable.node, folder, arguments)
        try last.waitFor("resuming the flow table of a previous agent")
        try traffic.end()
        let expected = try wire.flows().filter { $0.key.proto == "udp" }
        // What a run cannot deliver in its last seconds stays in the spool.
        _ = try eventually { try Self.received(server.records) == expected }
        try last.finish()
        try server.end()

        let names = folder.contents.filter { $0.hasPrefix("flows") }
        let text = try names.map { try String(contentsOfFile: folder.file($0), encoding: .utf8) }.joined()
        for lines in [text.split(separator: "\n").map(String.init), server.records] {
            let received = try Self.received(lines)
            let different = expected.keys.filter { received[$0] != expected[$0] }
            #expect(
                different.isEmpty && received.count == expected.count,
                "after \(killed) kills: \(different.count) flows, \(different.prefix(3).map { (received[$0], expected[$0]) })"
            )
        }
        #expect(text.hasSuffix("\n") && names.count > 2, "\(names)")
        #expect(server.faults.conflicts == 0)
        print(
            "killed \(killed) times: \(names.count) files, \(server.records.count) records stored,",
            "\(server.faults.repetitions) came again with their identifiers; \(discarded) runs discarded some"
        )
    }

    private static let flows = 1_000

    /// The datagrams to the node that lines have.
    private static func received(_ lines: [String]) throws -> [WireTuple: Count] {
        RecordSums(try lines.map { try RecordLine($0) }).received.filter { $0.key.proto == "udp" }
    }

    private func start(
        _ arguments: [String],
        in namespace: NetworkNamespace,
        _ folder: TemporaryFolder
    ) throws -> ChildProcess {
        let run = [WeirProgram.path, "run", "--aggregation-allowed", "0", "--flush-interval", "1s"]
        return try namespace.start(run + arguments, keepingIn: folder)
    }
}
