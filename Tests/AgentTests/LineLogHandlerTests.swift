import Foundation
import Logging
import Testing

@testable import Agent

/// The lines of the program's log.
struct LineLogHandlerTests {
    private static let time: Int64 = 1_795_878_079_042_000_000

    @Test(
        arguments: [
            ("watching eth0", [:], "info watching eth0"),
            ("output open", ["output": "stdout"], "info output open output=stdout"),
            ("a", ["z": "1", "b": "2", "m": "3"], "info a b=2 m=3 z=1"),
            ("a", ["reason": "Connection refused (errno 111)"], "info a reason=\"Connection refused (errno 111)\""),
            ("a", ["reason": "say \"no\"", "empty": ""], "info a empty=\"\" reason=\"say \\\"no\\\"\""),
            (
                "pod x\ny is gone\u{1b}[2J", ["pod": "x\n2026 error all is lost\r"],
                "info pod x\\u{a}y is gone\\u{1b}[2J pod=\"x\\u{a}2026 error all is lost\\u{d}\""
            ),
        ] as [(String, [String: String], String)]
    )
    func writesMessageFirstAndEscapesControlCharacters(_ message: String, _ fields: [String: String], _ line: String) {
        let metadata = fields.mapValues { Logger.MetadataValue.string($0) }
        let written = LineLogHandler.line(.info, message, metadata, at: Self.time)
        #expect(written == "2026-11-28T15:01:19.042Z " + line)
    }

    @Test func fullPipeDoesNotBlockWriter() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let writer = LogWriter(ends[1])
        let start = ContinuousClock.now
        let long = String(repeating: "x", count: 30_000)
        for _ in 0..<6 { writer.write(long) }
        #expect(ContinuousClock.now - start < .seconds(10))
        // After a read the next write first reports the number of omitted lines.
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        #expect(read(ends[0], &bytes, bytes.count) > 60_000)
        writer.write("next")
        let count = read(ends[0], &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        #expect(text.hasSuffix(" lines of the log were left out: their reader did not keep up\nnext\n"), "\(text)")
    }

    @Test func closedPipeDoesNotBlockWriter() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        signal(SIGPIPE, SIG_IGN)
        let writer = LogWriter(ends[1])
        for _ in 0..<100 { writer.write("gone") }
    }
}
