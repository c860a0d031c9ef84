import Compression
import Glibc
import Posix
import Testing

@testable import Export

/// The removal of data that a killed run wrote after its last commit, also from files that were rotated since.
struct CutBackTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/log" }

    private func removeAll() {
        for name in (try? FolderEntry.names(in: folder.path)) ?? [] { unlink(folder.path + "/" + name) }
    }

    /// Writes lines to the file, with a rotation whenever it has five.
    private func write(_ numbers: Range<Int>, to sink: FileSink) throws {
        for number in numbers {
            let line = NumberedLines.line(number)
            try #require(try line.withUnsafeBytes { try sink.write($0) } == .accepted(line.count))
        }
    }

    private func sink(_ compression: FileCompression? = nil) throws -> FileSink {
        var options = OutputOptions()
        options.rotation = FileRotation(maximumBytes: 5_000, minimumAge: .zero, compression: compression)
        options.rotation.maximumFiles = 100
        let sink = FileSink(path: path, options: options)
        _ = try sink.open()
        return sink
    }

    /// The numbers in all files, the oldest file first.
    private var numbers: [Int]? {
        let names = ((try? FolderEntry.names(in: folder.path)) ?? []).filter { $0 != "log" }.sorted() + ["log"]
        return NumberedLines.numbers(in: names.flatMap { folder.read($0) })
    }

    /// The kill comes after no, one or several rotations, and at their borders.
    @Test(arguments: [0, 1, 4, 5, 7], [0, 1, 5, 6, 23])
    func removesLinesWrittenAfterCommit(before: Int, after: Int) throws {
        defer { removeAll() }
        let sink = try sink()
        try write(0..<before, to: sink)
        let mark = try #require(WrittenFile(at: path))
        try write(before..<before + after, to: sink)
        let bytes = WrittenFile.cutBack(path, to: [mark])
        #expect(bytes == UInt64(after * NumberedLines.length))
        #expect(numbers == Array(0..<before))
        // The next run continues, and a complete commit removes nothing.
        try write(before..<before + 9, to: try self.sink())
        #expect(WrittenFile.cutBack(path, to: [try #require(WrittenFile(at: path))]) == 0)
        #expect(numbers == Array(0..<before + 9))
    }

    /// A reader that has read half of a removed line would join it with the next line of the same file.
    @Test(arguments: [0, 7])
    func replacesFileTruncatedToZero(after: Int) throws {
        defer { removeAll() }
        let sink = try sink()
        let mark = try #require(WrittenFile(at: path))
        try write(0..<after, to: sink)
        try FileDescriptor.open(path, O_WRONLY | O_APPEND).writeAll(Array("half".utf8))
        let before = try #require(FolderEntry.identity(of: path))
        #expect(WrittenFile.cutBack(path, to: [mark]) == UInt64(after * NumberedLines.length + 4))
        #expect(numbers == [])
        try write(0..<3, to: try self.sink())
        #expect(FolderEntry.identity(of: path).map { $0.isSame(as: before) } == false)
        // The next run dies, too, before it commits.
        try FileDescriptor.open(path, O_WRONLY | O_APPEND).writeAll(Array("half".utf8))
        let second = try #require(FolderEntry.identity(of: path))
        #expect(WrittenFile.cutBack(path, to: [mark]) == UInt64(3 * NumberedLines.length + 4))
        #expect(FolderEntry.identity(of: path).map { $0.isSame(as: second) } == false)
        try write(0..<2, to: try self.sink())
        #expect(numbers == [0, 1])
    }

    /// The kill came between the rename and the new file.
    @Test func cutsBackWithoutCurrentFile() throws {
        defer { removeAll() }
        try write(0..<3, to: try sink())
        let mark = try #require(WrittenFile(at: path))
        try write(3..<5, to: try sink())
        try RotatedFiles(path: path, rotation: FileRotation()).add(path)
        #expect(WrittenFile.cutBack(path, to: [mark]) == 2_000)
        #expect(numbers == [0, 1, 2])
    }

    /// Files that were rotated before the commit are complete.
    @Test func keepsFilesRotatedBeforeCommit() throws {
        defer { removeAll() }
        let sink = try sink(.zstd)
        try write(0..<17, to: sink)
        let mark = try #require(WrittenFile(at: path))
        try write(17..<40, to: sink)
        #expect(WrittenFile.cutBack(path, to: [mark]) == 23_000)
        #expect(numbers == Array(0..<17))
    }

    /// Another program's rotation, as logrotate names files.
    @Test func findsFileRenamedByOtherProgram() throws {
        defer { removeAll() }
        let sink = try sink()
        try write(0..<3, to: sink)
        let mark = try #require(WrittenFile(at: path))
        try write(3..<4, to: sink)
        rename(path, path + ".1")
        try write(4..<6, to: sink)
        #expect(WrittenFile.cutBack(path, to: [mark]) == 3_000)
        #expect(numbers == [0, 1, 2])
    }

    /// Files that no commit records belong to other programs.
    @Test func removesNothingWithoutMatchingMark() throws {
        defer { removeAll() }
        try write(0..<12, to: try sink())
        var mark = try #require(WrittenFile(at: path))
        mark.inode += 1_000_000
        #expect(WrittenFile.cutBack(path, to: [mark]) == 0)
        #expect(numbers == Array(0..<12))
    }
}
