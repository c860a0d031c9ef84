import Agent
import Foundation
import Lab
import Testing

/// Readers of records that die, come back, or do not read.
@Suite(.serialized, .needsRoot)
struct ReaderTests {
    /// The most bytes that a Unix socket takes for a reader that does not read.
    private func socketRoom() throws -> Int {
        let text = try String(contentsOfFile: "/proc/sys/net/core/wmem_default", encoding: .utf8)
        return try #require(Int(text.filter(\.isNumber)))
    }

    /// Sends a packet of each of many new flows to the node.
    private func send(flows: Int, to cable: Cable) throws {
        let (peer, node) = (try LabAddress("10.1.0.2"), try LabAddress("10.1.0.1"))
        try FrameSender("eth0", in: cable.peer).send(FlowSweep(flows: flows, from: peer, to: node), count: flows)
    }

    /// Lines that a killed reader had read, lines that the kernel had accepted for it, and lines of the next reader are all
    /// lines in order; only the kernel's part is lost.
    @Test func deadReaderLosesOnlySocketBuffer() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let listener = try RecordListener(folder.file("socket"))
        let weir = try WeirRun(in: cable.node, folder, ["--output", "unix:\(listener.path)"])
        try send(flows: 2_000, to: cable)

        var first: RecordReader? = try listener.accept()
        let beginning = try #require(try first?.read(100_000))
        first = nil
        let rest = try listener.readOne()
        try weir.waitFor("output is back")
        try send(flows: 2_000, to: cable)
        try weir.finish()

        let all = weir.lines
        let early = wholeLines(beginning)
        let late = wholeLines(try rest.value())
        #expect(all.count >= 4_000)
        #expect(early.lines == Array(all.prefix(early.lines.count)))
        #expect(early.torn.isEmpty || all[early.lines.count].hasPrefix(early.torn))
        #expect(late.torn.isEmpty)
        #expect(late.lines == Array(all.suffix(late.lines.count)))
        let gone = all[early.lines.count..<(all.count - late.lines.count)]
        #expect(gone.reduce(0) { $0 + $1.utf8.count + 1 } <= (try socketRoom()) + early.torn.utf8.count)
        // Nothing was dropped that the kernel had not taken.
        #expect(weir.process.errors.contains("delivered=\(all.count) dropped=0 output=unix:"), "\(weir.process.errors)")
        #expect(try weir.report().balanced)
    }

    /// The lines that are there to their end, and the beginning of one that is not.
    private func wholeLines(_ text: String) -> (lines: [Substring], torn: String) {
        guard let end = text.utf8.lastIndex(of: UInt8(ascii: "\n")) else { return ([], text) }
        return (text[..<end].split(separator: "\n"), String(text[text.utf8.index(after: end)...]))
    }

    /// Flows that go on are reported every second: soon the queue of 64 MiB is full.
    @Test func stalledReaderLosesOnlyItsRecords() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let wire = try WireCounters(in: cable.node)
        let listener = try RecordListener(folder.file("socket"))
        let weir = try WeirRun(
            in: cable.node,
            folder,
            ["--output", "unix:\(listener.path)", "--file-max-size", "off"]
        )
        let reader = try listener.accept()
        try send(flows: 12_000, to: cable)
        try weir.waitFor("output queue is full, new records are dropped")

        // The datapath goes on, and so does the other output.
        let sent = try cable.toNode().udp(count: 1_000, size: 72, port: 53, sourcePort: 4_000)
        try #require(sent.serverReceived.messages == 1_000)
        // A run that ends while much traffic is not yet processed records the rest in less detail.
        try #require(try eventually { try lateTraffic(weir) == Count(1_000, 100_000) })
        weir.process.signal(SIGTERM)
        let tally = try reader.tallyToEnd()
        #expect(weir.process.wait() == 0, "\(weir.process.errors)")

        #expect(try lateTraffic(weir) == Count(1_000, 100_000))
        let ingress = try weir.report().totals.ingress
        #expect(try weir.report().balanced)
        #expect(Count(ingress.seen) == (try wire.total()))
        // Every record was delivered or counted as dropped, and what was delivered are whole lines.
        let log = weir.process.errors
        let (delivered, dropped) = (try number("delivered=", in: log), try number("dropped=", in: log))
        let count = try #require(Int(try cable.node.shell("wc -l < \(weir.recordsPath)").filter(\.isNumber)))
        #expect(dropped > 0)
        #expect(delivered + dropped == count)
        #expect(tally.lines == delivered)
        #expect(tally.beginning.hasPrefix("{\"start_time\":"))
        #expect(tally.endsWithLine)
    }

    /// The traffic of the connection that began late; a program that reads large files fast finds its lines.
    private func lateTraffic(_ weir: WeirRun) throws -> Count {
        let namespace = try NetworkNamespace()
        let text = try namespace.shell("grep -F '\"dest_port\":53,' \(weir.recordsPath) || true")
        return RecordSums(try text.wholeLines.map { try RecordLine($0) }).totalReceived
    }

    /// A number in the log line about the closed socket output.
    private func number(_ key: String, in log: String) throws -> Int {
        let lines = log.split(separator: "\n")
        let line = try #require(lines.last { $0.contains("output=unix:") && $0.contains("output closed") }, "\(log)")
        let word = try #require(line.split(separator: " ").last { $0.hasPrefix(key) })
        return try #require(Int(word.dropFirst(key.count)))
    }
}
