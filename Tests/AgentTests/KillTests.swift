import Agent
import Foundation
import Lab
import Testing

/// Runs that are killed at any moment, and those that go on with what they left.
@Suite(.serialized, .needsRoot)
struct KillTests {
    /// How many runs are killed; without it, as many as fit into the time.
    private static let kills = ProcessInfo.processInfo.environment["WEIR_KILLS"].flatMap(Int.init)
    private static let time = Duration.seconds(25)

    @Test(arguments: ["auto", "clsact"])
    func nothingIsLostAndNothingIsRepeated(_ attach: String) throws {
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let path = folder.file("flows.log")
        let arguments = [
            "--output", "file:" + path, "--file-max-size", "off", "--bpffs", bpffs.path, "--attach", attach,
            "--poll-interval", "100ms", "--table-slots", "16384",
        ]
        // What passes before the first run watches is nobody's.
        var process = try start(arguments, in: cable.node, folder)
        let isWatching = eventually { process.errors.contains("watching eth0 ") || process.hasEnded }
        try #require(isWatching && !process.hasEnded, "\(process.errors)")
        let wire = try WireCounters(in: cable.node)
        let traffic = try SweepTraffic(cable, flows: Self.flows)
        var numbers = SystemRandomNumberGenerator()
        let deadline = ContinuousClock.now + Self.time / 2
        var killed = 0
        while true {
            usleep(UInt32.random(in: 0...3_000_000, using: &numbers))
            #expect(!process.hasEnded, "\(process.errors)")
            process.signal(SIGKILL)
            _ = process.wait()
            killed += 1
            guard Self.kills.map({ killed < $0 }) ?? (ContinuousClock.now < deadline) else { break }
            process = try start(arguments, in: cable.node, folder)
        }
        let last = try WeirRun(in: cable.node, folder, arguments)
        try last.waitFor("going on where an agent before ended")
        try traffic.end()
        try last.finish()

        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasSuffix("\n"))
        let whole = try text.split(separator: "\n").map { try RecordLine($0) }
        let received = RecordSums(whole).received.filter { $0.key.proto == "udp" }
        let expected = try wire.flows().filter { $0.key.proto == "udp" }
        let different = expected.keys.filter { received[$0] != expected[$0] }
        #expect(different.isEmpty && received.count == expected.count, "after \(killed) kills: \(different.prefix(3))")
        #expect(received.count == Self.flows)
        #expect(try last.report().balanced)
        #expect(!FileManager.default.fileExists(atPath: bpffs.path + "/weir"))
        print("killed \(killed) times: \(received.values.reduce(Count(), +)) in records")
    }

    private static let flows = 1_000

    private func start(
        _ arguments: [String],
        in namespace: NetworkNamespace,
        _ folder: TemporaryFolder
    ) throws -> ChildProcess {
        let run = [WeirProgram.path, "run", "--aggregation-allowed", "0", "--flush-interval", "1s"]
        return try namespace.start(run + arguments, keepingIn: folder)
    }
}
