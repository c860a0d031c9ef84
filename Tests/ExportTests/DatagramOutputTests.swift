import Glibc
import Testing

@testable import Export

/// UDP: whole lines in each datagram.
struct DatagramOutputTests {
    /// Sizes of lines with their newline, and the size and number of lines of the first datagram.
    @Test(arguments: [
        ([1], 1, 1), ([1400], 1400, 1), ([1401], 1401, 1), ([700, 700], 1400, 2), ([700, 701], 700, 1),
        ([1, 1, 1], 3, 3), ([1399, 1, 1], 1400, 2), ([5000, 1], 5000, 1), ([70_000, 1], 70_000, 1),
    ])
    func packsWholeLines(sizes: [Int], count: Int, lines: Int) {
        let bytes = sizes.flatMap { [UInt8](repeating: 0x78, count: $0 - 1) + [UInt8(ascii: "\n")] }
        let datagram = bytes.withUnsafeBytes { DatagramSink.datagram(from: $0) }
        #expect(datagram.count == count)
        #expect(datagram.lines == lines)
    }

    @Test func everyDatagramHasWholeLines() async throws {
        let listener = Listener(.udp)
        let output = try Output(listener.specification, logger: LogRecorder().logger)
        let sizes = [10, 20, 1370, 2, 3, 65_507, 65_508, 7, 100_000, 1400, 8]
        let lines = sizes.map { [UInt8](repeating: 0x78, count: $0 - 1) + [UInt8(ascii: "\n")] }
        output.submit(RecordBatch(bytes: Array(lines.joined()), records: lines.count))
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 9 && statistics.drops == OutputDrops(tooLong: 2))
        var received: [Int] = []
        while let datagram = listener.receive(milliseconds: received.count < 6 ? 10_000 : 0) {
            #expect(datagram.last == UInt8(ascii: "\n"))
            received.append(datagram.count)
        }
        #expect(received == [1400, 5, 65_507, 7, 1400, 8])
    }

    @Test func aRefusalIsCountedAndNotTheEnd() async throws {
        let gone = Listener(.udp)
        let port = gone.port
        gone.stop()
        let output = try Output(.udp(host: "127.0.0.1", port: port), logger: LogRecorder().logger)
        // Each line goes alone; the kernel reports a refusal with the send after it.
        for _ in 0..<20 { output.submit(NumberedLines.batch(0..<2)) }
        #expect(eventually { output.statistics.queued == 0 })
        // All but the last one, whose refusal is not known yet, if refusals come as soon as they do on this machine's own
        // addresses; half of them would be those that the kernel did not send.
        let statistics = output.statistics
        #expect(statistics.drops.refused > 20 && statistics.drops.total == statistics.drops.refused)
        #expect(statistics.delivered + statistics.dropped == 40)
        let listener = Listener(.udp, port: port)
        #expect(
            eventually { () -> Bool in
                output.submit(NumberedLines.batch(7..<8))
                return listener.receive(milliseconds: 10).flatMap(NumberedLines.numbers) == [7]
            }
        )
        let final = output.finish(within: .seconds(30))
        #expect(final.queued == 0)
        #expect(final.reconnects == 0)
    }
}
