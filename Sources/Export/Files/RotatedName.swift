import Compression
import Glibc

/// The name of a rotated file: the file's name with the time of its rotation before the extension.
struct RotatedName: Hashable, Comparable {
    /// The time, Unix milliseconds.
    let time: Int64
    /// The compression of the file; nil for none.
    var compression: FileCompression?

    /// Orders by time.
    static func < (left: RotatedName, right: RotatedName) -> Bool { left.time < right.time }

    /// Returns the rotated name of a file.
    func text(for name: String) -> String {
        let (stem, suffix) = Self.parts(of: name)
        return stem + "-" + timestamp + suffix + (compression?.suffix ?? "")
    }

    /// Takes a time.
    init(time: Int64) {
        self.time = time
    }

    /// Parses the rotated name of a file; nil for other names.
    init?(_ text: String, of name: String) {
        let (stem, suffix) = Self.parts(of: name)
        var rest = Substring(text)
        let compression = FileCompression.allCases.first { rest.hasSuffix($0.suffix) && !suffix.hasSuffix($0.suffix) }
        if let compression { rest = rest.dropLast(compression.suffix.count) }
        guard rest.hasPrefix(stem + "-"), rest.hasSuffix(suffix) else { return nil }
        let stamp = rest.dropFirst(stem.count + 1).dropLast(suffix.count)
        guard let time = Self.time(of: stamp) else { return nil }
        self.time = time
        self.compression = compression
    }

    /// Splits a name into the parts before and after the time.
    private static func parts(of name: String) -> (stem: String, suffix: String) {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return (name, "") }
        return (String(name[..<dot]), String(name[dot...]))
    }

    /// The time in the form `yyyy-mm-ddThh-mm-ss.mmm`.
    private var timestamp: String {
        var seconds = time_t(time / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: Int32, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = [digits(parts.tm_year + 1900, 4), digits(parts.tm_mon + 1, 2), digits(parts.tm_mday, 2)]
        let clock = [digits(parts.tm_hour, 2), digits(parts.tm_min, 2), digits(parts.tm_sec, 2)]
        return date.joined(separator: "-") + "T" + clock.joined(separator: "-") + "." + digits(Int32(time % 1000), 3)
    }

    /// Parses a time in the form of ``timestamp``; nil for other text.
    private static func time(of text: Substring) -> Int64? {
        let bytes = Array(text.utf8)
        let form = Array("dddd-dd-ddTdd-dd-dd.ddd".utf8)
        guard bytes.count == form.count else { return nil }
        for (byte, expected) in zip(bytes, form) {
            guard expected == UInt8(ascii: "d") ? 0x30...0x39 ~= byte : byte == expected else { return nil }
        }
        func number(_ range: Range<Int>) -> Int32 { bytes[range].reduce(0) { $0 * 10 + Int32($1 - 0x30) } }
        var parts = tm()
        parts.tm_year = number(0..<4) - 1900
        parts.tm_mon = number(5..<7) - 1
        parts.tm_mday = number(8..<10)
        parts.tm_hour = number(11..<13)
        parts.tm_min = number(14..<16)
        parts.tm_sec = number(17..<19)
        let time = Int64(timegm(&parts)) * 1000 + Int64(number(20..<23))
        // Rejects dates that do not exist, which are converted to others.
        return RotatedName(time: time).timestamp == text ? time : nil
    }
}
