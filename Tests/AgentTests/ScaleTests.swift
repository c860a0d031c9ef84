import Foundation
import Lab
import Testing

/// Many interfaces and many flows; the tests print the durations, and do not limit them.
///
/// With `WEIR_SCALE=full` (scripts/check-scale) there are 1,000 interfaces and 100,000 flows.
@Suite(.serialized, .needsRoot)
struct ScaleTests {
    private static let isFull = ProcessInfo.processInfo.environment["WEIR_SCALE"] == "full"

    /// All interfaces that exist at the start are watched, each with its own metrics.
    @Test func watchesAndScrapesManyInterfaces() throws {
        let count = Self.isFull ? 1_000 : 50
        let folder = try TemporaryFolder()
        let namespace = try NetworkNamespace()
        let commands = (0..<count).map { "link add v\($0) type veth peer name p\($0)\nlink set v\($0) up\n" }
        try commands.joined().write(toFile: folder.file("links"), atomically: true, encoding: .utf8)
        _ = try namespace.command(["ip", "-batch", folder.file("links")])

        let start = ContinuousClock.now
        let process = try namespace.start(
            [
                WeirProgram.path, "run", "--interface", "v*", "--output", "file:" + folder.file("records"), "--no-pin",
                "--http", "off", "--socket", folder.file("s"), "--flush-interval", "1h", "--poll-interval", "1h",
            ],
            keepingIn: folder
        )
        func ask(_ path: String, times: Int = 1) throws -> String {
            let urls = [String](repeating: "http://weir" + path, count: times)
            return try namespace.command(["curl", "-sS", "--unix-socket", folder.file("s")] + urls)
        }
        try #require(
            eventually {
                process.errors.components(separatedBy: " watching v").count - 1 == count || process.hasEnded
            }
        )
        let started = ContinuousClock.now - start
        try #require(!process.hasEnded, "\(process.errors.suffix(2_000))")
        try #require(try eventually { try ask("/readyz") == "ok\n" })
        let first = try ask("/metrics")
        let samples = first.split(separator: "\n").count { $0.hasPrefix("weir_datapath_seen_packets_total{") }
        #expect(samples == 2 * count)
        let scrapes = 20
        _ = try ask("/metrics", times: scrapes)
        let cost = try Self.cpuSeconds(ask("/metrics")) - Self.cpuSeconds(first)
        let end = ContinuousClock.now
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
        print(
            "\(count) interfaces: watched after \(started), stopped after \(ContinuousClock.now - end), a scrape has",
            "\(first.utf8.count) bytes and takes \((cost / Double(scrapes + 1) * 1e5).rounded() / 100) ms of CPU"
        )
    }

    private static func cpuSeconds(_ metrics: String) throws -> Double {
        let line = metrics.split(separator: "\n").first { $0.hasPrefix("process_cpu_seconds_total") }
        return try #require(line?.split(separator: " ").last.flatMap { Double($0) })
    }

    /// A run that replaces a killed one resumes every flow.
    @Test func takeoverResumesAllFlows() throws {
        let flows = Self.isFull ? 100_000 : 2_000
        let folder = try TemporaryFolder()
        let bpffs = try BPFFileSystem()
        let cable = try Cable()
        let options = ["--bpffs", bpffs.path, "--table-slots", "524288", "--aggregation-allowed", "2"]
        let first = try WeirRun(in: cable.node, folder, options)
        let sweep = try FlowSweep(flows: flows, from: LabAddress("10.1.0.2"), to: LabAddress("10.1.0.1"))
        try FrameSender("eth0", in: cable.peer).send(sweep, count: flows)
        // A flush after the last packet has every flow.
        let isRecorded = try eventually {
            try first.records().reduce(0) { $0 + $1.packetsIn } >= UInt64(flows)
        }
        try #require(isRecorded)
        first.process.signal(SIGKILL)
        _ = first.process.wait()
        let start = ContinuousClock.now
        let second = try WeirRun(in: cable.node, folder, options)
        let watching = ContinuousClock.now - start
        try second.waitFor("resuming the flow table of a previous agent")
        let taken = second.process.errors.split(separator: " ").first { $0.hasPrefix("flows=") }
            .flatMap { Int($0.dropFirst(6)) }
        #expect(taken ?? 0 >= flows, "\(second.process.errors)")
        try second.finish()
        #expect(try second.report().balanced)
        print("takeover of \(taken ?? 0) flows: watching again \(watching) after the start of the process")
    }
}
