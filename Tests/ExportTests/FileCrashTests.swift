import Glibc
import Posix
import Testing

@testable import Export

/// kill -9 at random moments while files are written and rotated.
struct FileCrashTests {
    /// Writes records until the process is killed, each with the number after the last one in the files.
    private static func writeForever(_ path: String, from first: Int) throws {
        var options = OutputOptions()
        options.rotation = FileRotation(maximumBytes: 20_000, maximumFiles: 10_000, minimumAge: .zero)
        let output = try Output(.file(path: path), options: options, logger: LogRecorder().logger)
        var next = first
        while true {
            var bytes: [UInt8] = []
            for number in next..<(next + 200) { bytes += record(number) }
            output.submit(RecordBatch(bytes: bytes, records: 200), waitingUntil: .now + .seconds(60))
            next += 200
        }
    }

    /// A line of 20 bytes and up to 3,000 more.
    private static func record(_ number: Int) -> [UInt8] {
        let padding = String(repeating: "x", count: number % 3 == 0 ? number * 37 % 3_000 : 20)
        return Array("{\"start_time\":\(number),\"x\":\"\(padding)\"}\n".utf8)
    }

    /// The records in all files, the oldest file first; nil if one is torn or changed.
    private static func records(in folder: String) -> [Int]? {
        var numbers: [Int] = []
        for name in files(in: folder) {
            let file = open(folder + "/" + name, O_RDONLY)
            let bytes = readToEnd(file)
            close(file)
            guard bytes.isEmpty || bytes.last == UInt8(ascii: "\n") else { return nil }
            for line in bytes.split(separator: UInt8(ascii: "\n")) {
                let digits = line.dropFirst(14).prefix { 0x30...0x39 ~= $0 }
                guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
                guard Array(line) + [UInt8(ascii: "\n")] == record(number) else { return nil }
                numbers.append(number)
            }
        }
        return numbers
    }

    private static func files(in folder: String) -> [String] {
        let names = (try? FolderEntry.names(in: folder)) ?? []
        return names.filter { RotatedName($0, of: "log") != nil }.sorted() + (names.contains("log") ? ["log"] : [])
    }

    /// As many kills as fit into some seconds; each process continues where the files of the previous one end.
    @Test func killedWriterTearsAndLosesNoRecords() async {
        let end = await #expect(processExitsWith: .exitCode(42), observing: [\.standardOutputContent]) {
            let folder = TemporaryFolder()
            let path = folder.path + "/log"
            var (rotations, torn) = (0, 0)
            var kills = Kills(within: .seconds(12))
            var next = 0
            while kills.goOn {
                let child = forkProcess()
                if child == 0 {
                    try? FileCrashTests.writeForever(path, from: next)
                    _exit(1)
                }
                // A busy machine may need longer to begin than the time until the kill.
                guard eventually({ !folder.read("log").isEmpty || FileCrashTests.files(in: folder.path).count > 1 })
                else { exit(3) }
                kills.kill(child, after: 100...20_100)
                let names = FileCrashTests.files(in: folder.path)
                if names.last == "log", let last = folder.read("log").last, last != UInt8(ascii: "\n") { torn += 1 }
                // The next start repairs the torn end.
                _ = try FileSink(path: path).open()
                guard let numbers = FileCrashTests.records(in: folder.path),
                    numbers == Array(next..<(next + numbers.count))
                else {
                    exit(1)
                }
                next += numbers.count
                rotations += names.count { $0 != "log" }
                for name in FileCrashTests.files(in: folder.path) { unlink(folder.path + "/" + name) }
            }
            print("\(kills.done) kills, \(rotations) rotations, \(torn) torn lines repaired, \(next) records")
            folder.remove()
            exit(kills.done >= Kills.least && next > 0 && rotations > 0 ? 42 : 2)
        }
        Kills.show(end)
    }
}
