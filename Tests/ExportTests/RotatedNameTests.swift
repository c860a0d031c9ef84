import Compression
import Testing

@testable import Export

@Suite("names of rotated files")
struct RotatedNameTests {
    @Test(arguments: [
        ("flows.log", 1_795_888_800_123, "flows-2026-11-28T18-00-00.123.log"),
        ("flows", 0, "flows-1970-01-01T00-00-00.000"), (".log", 999, ".log-1970-01-01T00-00-00.999"),
        ("a.b.json", 1_709_164_800_000, "a.b-2024-02-29T00-00-00.000.json"),
    ])
    func formatsAndParsesNameWithTime(name: String, time: Int64, expected: String) {
        var rotated = RotatedName(time: time)
        #expect(rotated.text(for: name) == expected)
        #expect(RotatedName(expected, of: name) == rotated)
        for (compression, suffix) in [(FileCompression.gzip, ".gz"), (.zstd, ".zst")] {
            rotated.compression = compression
            #expect(rotated.text(for: name) == expected + suffix)
            #expect(RotatedName(expected + suffix, of: name) == rotated)
        }
    }

    @Test(arguments: [
        "flows.log", "flows-.log", "flows-2026-11-28T18-00-00.123", "flows-2026-11-28T18-00-00.123.log.1",
        "other-2026-11-28T18-00-00.123.log", "flows-2026-13-28T18-00-00.123.log", "flows-2026-02-30T18-00-00.123.log",
        "flows-2026-11-28T18:00:00.123.log", "flows-2026-11-28T18-00-00.12x.log", "xflows-2026-11-28T18-00-00.123.log",
        "flows-x-2026-11-28T18-00-00.123.log", ".flows-2026-11-28T18-00-00.123.log.gz",
    ])
    func rejectsOtherNames(text: String) {
        #expect(RotatedName(text, of: "flows.log") == nil)
    }
}
