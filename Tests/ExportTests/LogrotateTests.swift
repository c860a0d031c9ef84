import Foundation
import Glibc
import Testing

@testable import Export

/// Debian's logrotate moves a file away while an output writes to it.
struct LogrotateTests {
    /// A folder with everything in it, and the configuration of logrotate for the file `log` there.
    private final class Place {
        let folder = TemporaryFolder()
        var path: String { folder.path + "/log" }

        init(_ mode: String) {
            folder.write("\(path) {\n  rotate 1000\n  missingok\n  nocompress\n  \(mode)\n}\n", to: "conf")
        }

        deinit {
            for name in FileManager.default.subpaths(atPath: folder.path) ?? [] { unlink(folder.path + "/" + name) }
        }

        func rotate() throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/sbin/logrotate")
            process.arguments = ["--force", "--state", folder.path + "/state", folder.path + "/conf"]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }

        /// The bytes of all files, the oldest first.
        var files: [[UInt8]] {
            let names = FileManager.default.subpaths(atPath: folder.path) ?? []
            let rotated = names.compactMap { $0.hasPrefix("log.") ? Int($0.dropFirst(4)) : nil }.sorted(by: >)
            return (rotated.map { "log.\($0)" } + ["log"]).map(folder.read)
        }
    }

    /// Rotates ten times beside an output that writes all the time.
    ///
    /// - Returns: how many lines were written.
    private func writeAndRotate(_ place: Place) throws -> Int {
        var options = OutputOptions()
        options.rotation = FileRotation(maximumBytes: nil)
        let recorder = LogRecorder()
        let output = try Output(.file(path: place.path), options: options, logger: recorder.logger)
        var next = 0
        for _ in 0..<10 {
            #expect(
                eventually {
                    output.submit(NumberedLines.batch(next..<(next + 500)), waitingUntil: .now + .seconds(60))
                    next += 500
                    return !place.folder.read("log").isEmpty
                }
            )
            try place.rotate()
        }
        output.submit(NumberedLines.batch(next..<(next + 10)), waitingUntil: .now + .seconds(60))
        next += 10
        let statistics = output.finish(within: .seconds(60))
        #expect(statistics.delivered == next && statistics.dropped == 0, "\(recorder.messagesText)")
        return next
    }

    /// The file is renamed: nothing is lost, and no signal is needed.
    @Test(arguments: ["create 0640 root root", "nocreate"])
    func losesNoLinesWhenFileIsRenamed(mode: String) throws {
        let place = Place(mode)
        let count = try writeAndRotate(place)
        let files = place.files
        #expect(files.count >= 10)
        #expect(files.allSatisfy { $0.count.isMultiple(of: NumberedLines.length) })
        #expect(NumberedLines.numbers(in: files.flatMap(\.self)) == Array(0..<count))
    }

    /// The file is copied and truncated.
    ///
    /// Lines written between the two are lost, and a copy may end within the line that is being written; the file
    /// itself has whole lines, none twice, and no hole.
    @Test func keepsWholeLinesWhenFileIsCopiedAndTruncated() throws {
        let place = Place("copytruncate")
        let count = try writeAndRotate(place)
        let files = place.files
        #expect(files.last?.count.isMultiple(of: NumberedLines.length) == true)
        var last = -1
        for file in files {
            let numbers = try #require(NumberedLines.numbers(in: file))
            guard let first = numbers.first else { continue }
            #expect(first > last && numbers == Array(first..<(first + numbers.count)))
            last = first + numbers.count - 1
        }
        #expect(last == count - 1)
    }
}
