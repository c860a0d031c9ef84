import Compression
import Foundation
import Testing

/// Compares both formats with the programs that define them, and reads damaged input.
struct CompressionTests {
    /// Lines as records are, not all alike.
    private static let text = (0..<20_000).flatMap { Array("{\"start_time\":1700000000,\"number\":\($0)}\n".utf8) }

    private static func compress(_ bytes: [UInt8], _ format: FileCompression) throws -> [UInt8] {
        let compressor = try format.compressor()
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 50_000) {
            output += try compressor.add(Array(bytes[start..<min(bytes.count, start + 50_000)]))
        }
        return try output + compressor.finish()
    }

    /// Decompresses in pieces of an odd size, through a buffer of `room` bytes.
    private static func decompress(
        _ bytes: [UInt8],
        _ format: FileCompression,
        room: Int = 1_000
    ) throws -> (bytes: [UInt8], isComplete: Bool) {
        let decompressor = try format.decompressor()
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: room)
        for begin in stride(from: 0, to: bytes.count, by: 777) {
            var piece = bytes[begin..<min(bytes.count, begin + 777)]
            while true {
                let counts = try piece.withUnsafeBytes { input in
                    try buffer.withUnsafeMutableBytes { try decompressor.step(input, $0) }
                }
                piece = piece.dropFirst(counts.read)
                output += buffer[..<counts.written]
                guard counts.read > 0 || counts.written > 0 else { break }
            }
            try #require(piece.isEmpty)
        }
        return (output, decompressor.isComplete)
    }

    /// Runs `gzip` or `zstd`.
    private static func foreign(_ format: FileCompression, _ arguments: [String], _ input: [UInt8]) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/\(format.rawValue)")
        process.arguments = arguments
        let (source, target) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput) = (source, target)
        try process.run()
        let data = Data(input)
        Thread.detachNewThread {
            try? source.fileHandleForWriting.write(contentsOf: data)
            try? source.fileHandleForWriting.close()
        }
        let output = try target.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return Array(output)
    }

    @Test(arguments: FileCompression.allCases)
    func outputIsReadableByReferenceProgram(_ format: FileCompression) throws {
        let packed = try Self.compress(Self.text, format)
        #expect(packed.count < Self.text.count / 5 && packed.starts(with: format.beginning))
        #expect(try Self.foreign(format, ["-dc"], packed) == Self.text)
        #expect(try Self.foreign(format, ["-dc"], Self.compress([], format)) == [])
    }

    /// Includes several streams in sequence, as `cat` joins them.
    @Test(arguments: FileCompression.allCases, [1, 100_000])
    func readsOutputOfReferenceProgram(_ format: FileCompression, room: Int) throws {
        let packed = try Self.foreign(format, ["-9c"], Self.text) + Self.foreign(format, ["-c"], Array("end\n".utf8))
        let read = try Self.decompress(packed, format, room: room)
        #expect(read.bytes == Self.text + Array("end\n".utf8))
        #expect(read.isComplete)
    }

    @Test(arguments: FileCompression.allCases)
    func truncatedStreamIsIncomplete(_ format: FileCompression) throws {
        let packed = try Self.compress(Self.text, format)
        for length in [3, packed.count / 2, packed.count - 1] {
            let read = try Self.decompress(Array(packed[..<length]), format)
            #expect(!read.isComplete && Self.text.starts(with: read.bytes))
        }
    }

    /// The form of the data, or the checksum at its end, reveals a changed byte at any position.
    @Test(arguments: FileCompression.allCases)
    func detectsChangedByte(_ format: FileCompression) throws {
        let packed = try Self.compress(Self.text, format)
        for place in stride(from: 20, to: packed.count, by: packed.count / 97) {
            var damaged = packed
            damaged[place] ^= 0x10
            let read = try? Self.decompress(damaged, format)
            #expect(read.map { $0.isComplete } != true, "byte \(place) of \(packed.count)")
        }
    }

    /// 64 MiB of zeros are some kilobytes of input: a step writes only as much as the buffer holds.
    @Test(arguments: FileCompression.allCases)
    func stepWritesAtMostBufferSize(_ format: FileCompression) throws {
        let packed = try Self.compress([UInt8](repeating: 0, count: 64 << 20), format)
        let decompressor = try format.decompressor()
        var buffer = [UInt8](repeating: 1, count: 4_096)
        let counts = try packed.withUnsafeBytes { input in
            try buffer.withUnsafeMutableBytes { try decompressor.step(input, $0) }
        }
        #expect(packed.count < 100_000 && counts.written <= 4_096)
    }
}
