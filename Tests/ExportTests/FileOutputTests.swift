import Glibc
import Testing

@testable import Export

/// Files: the output appends whole lines, whatever the file has before.
struct FileOutputTests {
    private let folder = TemporaryFolder()

    private func output(_ name: String, recorder: LogRecorder = LogRecorder()) throws -> Output {
        try Output(.file(path: "\(folder.path)/\(name)"), logger: recorder.logger)
    }

    @Test(arguments: [
        ("", ""), ("old\n", "old\n"), ("old\nto", "old\nto\n"), ("to", "to\n"),
    ])
    func appendsAfterWholeLines(before: String, kept: String) async throws {
        if !before.isEmpty { folder.write(before, to: "torn") }
        let output = try output("torn")
        output.submit(RecordBatch(bytes: Array("a\nb\n".utf8), records: 2))
        output.submit(RecordBatch(bytes: Array("c\n".utf8), records: 1))
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 3)
        #expect(statistics.dropped == 0 && statistics.queued == 0)
        #expect(String(decoding: folder.read("torn"), as: UTF8.self) == kept + "a\nb\nc\n")
    }

    @Test func createsFileUnreadableByOthers() async throws {
        let before = umask(0)
        defer { umask(before) }
        let output = try output("log")
        var status = stat()
        stat("\(folder.path)/log", &status)
        #expect(status.st_mode & 0o777 == 0o640)
        _ = output.finish(within: .zero)
    }

    @Test func keepsOrderOverManyBatches() async throws {
        let output = try output("log")
        for first in stride(from: 0, to: 5000, by: 50) { output.submit(NumberedLines.batch(first..<(first + 50))) }
        let statistics = output.finish(within: .seconds(60))
        #expect(statistics.delivered == 5000)
        #expect(NumberedLines.numbers(in: folder.read("log")) == Array(0..<5000))
    }

    @Test(arguments: [("/missing/flows.log", "No such file"), ("", "Is a directory")])
    func describesUnusablePath(name: String, reason: String) {
        let path = folder.path + name
        let error = #expect(throws: OutputError.self) {
            try Output(.file(path: path), logger: LogRecorder().logger)
        }
        let said = error?.description ?? ""
        #expect(said.hasPrefix("open file:\(path): open: "))
        #expect(said.contains(reason))
        #expect(said.contains("the folder"))
        #expect(said.contains("must exist"))
    }

    /// `/dev/full` has no space left, ever.
    @Test func waitsForSpaceAndCountsUnwrittenRecords() async throws {
        let recorder = LogRecorder()
        let output = try Output(.file(path: "/dev/full"), logger: recorder.logger)
        output.submit(RecordBatch(bytes: Array("a\nb\n".utf8), records: 2))
        #expect(eventually { recorder.count("output is unavailable") == 1 })
        #expect(output.statistics.queued == 2)
        let started = ContinuousClock.now
        let statistics = output.finish(within: .milliseconds(300))
        #expect(try #require(recorder.closed(after: started)) < .seconds(5))
        #expect(statistics.dropped == 2 && statistics.delivered == 0)
        #expect(recorder.count("output is unavailable") == 1)
        #expect(recorder.count("No space left") == 1)
        #expect(!output.submit(RecordBatch(bytes: [10], records: 1)))
        #expect(output.statistics.dropped == 3)
    }

    @Test func removesTornLineOnClose() throws {
        let sink = FileSink(path: "\(folder.path)/log")
        _ = try sink.open()
        // A write takes whole lines, or the part of one that there is.
        for part in ["one\n", "tw"] { _ = try Array(part.utf8).withUnsafeBytes { try sink.write($0) } }
        sink.close(tornBytes: 2)
        #expect(folder.read("log") == Array("one\n".utf8))
    }

    @Test func keepsTextAppendedByOthersOnClose() throws {
        let sink = FileSink(path: "\(folder.path)/log")
        _ = try sink.open()
        // A write takes whole lines, or the part of one that there is.
        for part in ["one\n", "tw"] { _ = try Array(part.utf8).withUnsafeBytes { try sink.write($0) } }
        let other = open("\(folder.path)/log", O_WRONLY | O_APPEND)
        write(other, "x\n", 2)
        close(other)
        sink.close(tornBytes: 2)
        #expect(folder.read("log") == Array("one\ntwx\n".utf8))
    }
}
