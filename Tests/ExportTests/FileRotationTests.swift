import Compression
import Glibc
import Posix
import Testing

@testable import Export

/// Rotated files: whole lines, none lost and none twice, whichever program rotates them.
struct FileRotationTests {
    private let place = Place()

    /// A folder with everything in it.
    private final class Place {
        let folder = TemporaryFolder()
        var path: String { folder.path + "/log" }

        deinit {
            for name in (try? FolderEntry.names(in: folder.path)) ?? [] { unlink(folder.path + "/" + name) }
        }

        /// Rotated files, the oldest first.
        var rotated: [String] {
            ((try? FolderEntry.names(in: folder.path)) ?? []).filter { RotatedName($0, of: "log") != nil }.sorted()
        }

        /// The numbers of all lines, in order, nil if one is torn.
        var numbers: [Int]? {
            var all: [Int] = []
            for name in rotated + ["log"] {
                let bytes = folder.read(name)
                guard bytes.count % NumberedLines.length == 0, let some = NumberedLines.numbers(in: bytes) else {
                    return nil
                }
                all += some
            }
            return all
        }
    }

    private func options(_ rotation: FileRotation) -> OutputOptions {
        var options = OutputOptions()
        options.rotation = rotation
        return options
    }

    private func sink(_ rotation: FileRotation) throws -> FileSink {
        let sink = FileSink(path: place.path, options: options(rotation))
        _ = try sink.open()
        return sink
    }

    /// Writes lines as the output's thread does, with whatever the sink takes at once.
    private func write(_ numbers: Range<Int>, to sink: FileSink) throws {
        let batch = NumberedLines.batch(numbers).bytes
        var offset = 0
        while offset < batch.count {
            try batch[offset...].withUnsafeBytes { bytes in
                switch try sink.write(bytes) {
                case .accepted(let count, _): offset += count
                case .blocked: break
                case .restartLine: offset -= offset % NumberedLines.length
                }
            }
        }
    }

    @Test func rotatesAtLineEndsAndKeepsNewestFiles() throws {
        let sink = try sink(FileRotation(maximumBytes: 10_500, maximumFiles: 1_000, minimumAge: .zero))
        for first in stride(from: 0, to: 1_000, by: 7) { try write(first..<min(1_000, first + 7), to: sink) }
        #expect(place.rotated.count == 99)
        #expect(place.rotated.allSatisfy { place.folder.read($0).count == 10_000 })
        #expect(place.numbers == Array(0..<1_000))
        let few = FileRotation(maximumBytes: 10_500, maximumFiles: 3, minimumAge: .zero)
        try write(1_000..<1_030, to: try self.sink(few))
        #expect(place.rotated.count == 3)
        #expect(place.numbers == Array(990..<1_030))
    }

    @Test func writesOverlongLineToOwnFile() throws {
        let sink = try sink(FileRotation(maximumBytes: 100, maximumFiles: 10, minimumAge: .zero))
        try write(0..<3, to: sink)
        #expect(place.rotated.count == 2 && place.numbers == [0, 1, 2])
    }

    /// A young file grows beyond its limit, up to a bound, so that a reader that polls finds each file.
    @Test func delaysRotationOfYoungFile() throws {
        let sink = try sink(FileRotation(maximumBytes: 10_000, maximumFiles: 10, minimumAge: .seconds(3600)))
        try write(0..<40, to: sink)
        #expect(place.rotated.isEmpty)
        try write(40..<41, to: sink)
        #expect(place.rotated.count == 1 && place.folder.read(place.rotated[0]).count == 40_000)
        #expect(place.numbers == Array(0..<41))
    }

    @Test func rotatesByAge() throws {
        let sink = try sink(FileRotation(maximumAge: .seconds(1), minimumAge: .zero))
        try write(0..<1, to: sink)
        #expect(place.rotated.isEmpty)
        usleep(1_050_000)
        try write(1..<2, to: sink)
        try write(2..<3, to: sink)
        #expect(place.rotated.count == 1 && place.numbers == [0, 1, 2])
    }

    @Test(arguments: [(FileCompression.gzip, "gzip"), (.zstd, "zstd")])
    func compressesAllButNewestFile(_ compression: FileCompression, program: String) throws {
        let suffix = compression.suffix
        var rotation = FileRotation(
            maximumBytes: 5_000,
            maximumFiles: 10,
            minimumAge: .zero,
            compression: compression
        )
        rotation.compressionDelay = .zero
        let sink = try sink(rotation)
        for number in 0..<20 { try write(number..<(number + 1), to: sink) }
        // A file exists under both names for a moment.
        #expect(
            eventually {
                let names = (try? FolderEntry.names(in: place.folder.path)) ?? []
                return names.contains { $0.hasSuffix(suffix) } && !names.contains { $0.hasPrefix(".") }
                    && !names.contains { names.contains($0 + suffix) }
            }
        )
        let newest = try #require(place.rotated.last)
        #expect(!newest.hasSuffix(suffix))
        // The program of the format can read the files, and every line is in one of them.
        let command =
            "cd \(place.folder.path) && \(program) -dc log-*\(suffix); cat $(ls | grep -v '\(suffix)$')"
        // A file that is just being compressed may be in neither list of names, or in both.
        let isComplete = eventually {
            guard let stream = popen(command, "r") else { return false }
            let bytes = readToEnd(fileno(stream))
            return pclose(stream) == 0 && NumberedLines.numbers(in: bytes)?.sorted() == Array(0..<20)
        }
        #expect(isComplete)
    }

    /// For a minute the lines of a killed run can be removed from them, and slow readers can read them.
    @Test func doesNotCompressJustRotatedFiles() throws {
        let rotation = FileRotation(maximumBytes: 5_000, maximumFiles: 10, minimumAge: .zero, compression: .gzip)
        let files = RotatedFiles(path: place.path, rotation: rotation)
        for name in ["log-2026-01-01T00-00-00.000", "log-2026-01-01T00-00-00.001"] { place.folder.write("x", to: name) }
        place.folder.write("y", to: "log")
        try files.add(place.path)
        place.folder.write("z", to: "log")
        try files.add(place.path)
        #expect(files.tidy().isEmpty)
        #expect(eventually { place.rotated.count { $0.hasSuffix(".gz") } == 2 && place.rotated.count == 4 })
        #expect(place.rotated[2...].allSatisfy { !$0.hasSuffix(".gz") })
    }

    // MARK: Changes by other programs

    @Test func replacesRenamedOrRemovedFile() throws {
        let sink = try sink(FileRotation())
        try write(0..<3, to: sink)
        rename(place.path, place.folder.path + "/torn")
        try write(3..<5, to: sink)
        #expect(NumberedLines.numbers(in: place.folder.read("torn")) == [0, 1, 2])
        #expect(NumberedLines.numbers(in: place.folder.read("log")) == [3, 4])
        #expect(sink.takeNotices().count == 1 && sink.takeNotices().isEmpty)
        unlink(place.path)
        try write(5..<6, to: sink)
        #expect(NumberedLines.numbers(in: place.folder.read("log")) == [5])
    }

    @Test func continuesInTruncatedFile() throws {
        let sink = try sink(FileRotation(maximumBytes: 10_000, minimumAge: .zero))
        try write(0..<9, to: sink)
        truncate(place.path, 0)
        try write(9..<18, to: sink)
        #expect(place.rotated.isEmpty && place.numbers == Array(9..<18))
    }

    @Test func rewritesLineWithTruncatedBeginning() throws {
        let sink = try sink(FileRotation())
        let line = NumberedLines.line(1)
        _ = try line[..<400].withUnsafeBytes { try sink.write($0) }
        truncate(place.path, 0)
        let outcome = try line[400...].withUnsafeBytes { try sink.write($0) }
        #expect(outcome == .restartLine)
        try write(1..<2, to: sink)
        #expect(place.numbers == [1])
    }

    @Test func reopensOnRequest() throws {
        let output = try Output(.file(path: place.path), logger: LogRecorder().logger)
        output.submit(NumberedLines.batch(0..<1))
        #expect(eventually { output.statistics.delivered == 1 })
        rename(place.path, place.folder.path + "/torn")
        output.reopen()
        output.submit(NumberedLines.batch(1..<2))
        #expect(output.finish(within: .seconds(30)).delivered == 2)
        #expect(NumberedLines.numbers(in: place.folder.read("torn")) == [0] && place.numbers == [1])
    }

    @Test func rejectsLinkAndWorldWritableFolder() throws {
        symlink(place.folder.path + "/torn", place.path)
        let error = #expect(throws: OutputError.self) {
            try Output(.file(path: place.path), logger: LogRecorder().logger)
        }
        #expect(error?.reason == "it is a symbolic link")
        unlink(place.path)
        chmod(place.folder.path, 0o777)
        let other = #expect(throws: OutputError.self) {
            try Output(.file(path: place.path), logger: LogRecorder().logger)
        }
        #expect(other?.reason.contains("everybody may replace files") == true)
    }

    @Test func createsFileWithConfiguredMode() throws {
        var options = OutputOptions()
        options.fileMode = 0o664
        let output = try Output(.file(path: place.path), options: options, logger: LogRecorder().logger)
        _ = output.finish(within: .seconds(30))
        var status = stat()
        stat(place.path, &status)
        #expect(status.st_mode & 0o777 == 0o664)
    }

    // MARK: Failures

    @Test(.enabled(if: geteuid() == 0, "mounts a small file system"))
    func waitsForFullDiskWithoutTornLines() throws {
        let mountPoint = place.folder.path + "/open"
        mkdir(mountPoint, 0o755)
        try #require(mount("tmpfs", mountPoint, "tmpfs", 0, "size=64k") == 0)
        defer {
            umount2(mountPoint, Int32(MNT_DETACH))
            rmdir(mountPoint)
        }
        let recorder = LogRecorder()
        let (file, ballast) = (mountPoint + "/log", mountPoint + "/ballast")
        let filler = open(ballast, O_WRONLY | O_CREAT, 0o600)
        _ = Glibc.write(filler, [UInt8](repeating: 0, count: 30_000), 30_000)
        close(filler)
        let output = try Output(.file(path: file), logger: recorder.logger)
        output.submit(NumberedLines.batch(0..<50))
        #expect(eventually { recorder.count("No space left") == 1 })
        #expect(output.statistics.delivered == 0 && output.statistics.queued == 50)
        unlink(ballast)
        let statistics = output.finish(within: .seconds(30))
        #expect(statistics.delivered == 50 && statistics.dropped == 0)
        let descriptor = open(file, O_RDONLY)
        defer { close(descriptor) }
        #expect(NumberedLines.numbers(in: readToEnd(descriptor)) == Array(0..<50))
    }

    @Test func removesTornRecordAtStart() throws {
        for (before, after) in [
            ("{\"start_time\":1}\n{\"start_time\":2,\"x", "{\"start_time\":1}\n"), ("{\"sta", ""),
            ("{\"start_time\":1}\n{", "{\"start_time\":1}\n"), ("somebody's\ntext", "somebody's\ntext\n"),
        ] {
            place.folder.write(before, to: "log")
            _ = try Output(.file(path: place.path), logger: LogRecorder().logger).finish(within: .seconds(30))
            #expect(String(decoding: place.folder.read("log"), as: UTF8.self) == after)
        }
    }
}
