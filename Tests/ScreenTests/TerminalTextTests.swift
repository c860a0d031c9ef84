import Screen
import Testing

@Suite struct TerminalTextTests {
    @Test(arguments: [
        ("\u{1b}[31mred", "\\u{1b}[31mred"), ("a\u{202e}b", "a\\u{202e}b"), ("\u{9b}2J", "\\u{9b}2J"),
        ("a\nb\r", "a\\u{a}b\\u{d}"),
        ("\u{200f}x", "\\u{200f}x"), ("שלום", "\\u{5e9}\\u{5dc}\\u{5d5}\\u{5dd}"), ("e\u{301}", "e\\u{301}"),
        ("\u{feff}", "\\u{feff}"), ("\u{e000}", "\\u{e000}"), ("plain-name.1", "plain-name.1"), ("名前", "名前"),
        ("\u{2028}", "\\u{2028}"), ("a\u{200b}b\u{2060}", "a\\u{200b}b\\u{2060}"), ("\u{ad}", "\\u{ad}"),
        ("\u{3164}\u{115f}\u{ffa0}", "\\u{3164}\\u{115f}\\u{ffa0}"), ("\u{e0041}", "\\u{e0041}"),
        ("\u{34f}\u{fe0f}", "\\u{34f}\\u{fe0f}"),
    ])
    func neutralizesUnprintableCharacters(_ text: String, _ expected: String) {
        #expect(TerminalText.neutralized(text) == expected)
    }

    @Test func neutralizesAllControlCharacters() {
        for value in UInt32(0)...0x3000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = TerminalText.neutralized(String(scalar))
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 || 0x7f...0x9f ~= $0.value })
        }
    }

    @Test func shortenedTextsFitWidth() {
        let name = "customer-database-of-the-bank-with-a-long-name"
        for width in 1...60 {
            #expect(TerminalText.width(TerminalText.middle(name, width: width)) <= width)
            #expect(TerminalText.width(TerminalText.prefix(name, width: width)) <= width)
        }
        #expect(TerminalText.middle(name, width: 16) == "customer-d…-name")
        #expect(TerminalText.width("名前") == 4)
        #expect(TerminalText.middle("名前名前名前", width: 7) == "名前…前")
    }

    @Test func wrapsWordsAndBreaksLongOnes() {
        #expect(TerminalText.wrapped("aa bb cccccccc d", width: 5) == ["aa bb", "ccccc", "ccc d"])
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1.0k"), (18_240, "18.2k"), (999_949, "999.9k"), (999_951, "1.0M"),
        (UInt64.max, "18.4E"),
    ])
    func abbreviatesNumbers(_ number: UInt64, _ expected: String) {
        #expect(ShortNumber.text(number) == expected)
    }

    @Test func formatsTimesAndOffsets() {
        #expect(ClockText.full(1_764_338_400, offset: 0) == "2025-11-28 14:00:00")
        #expect(ClockText.full(951_782_399, offset: 0) == "2000-02-28 23:59:59")
        #expect(ClockText.full(951_782_400, offset: 3600) == "2000-02-29 01:00:00")
        #expect(ClockText.full(-1, offset: 0) == "1969-12-31 23:59:59")
        #expect(ClockText.offset(19_800) == "+05:30")
        #expect(ClockText.offset(-18_000) == "-05")
    }
}
