import Testing

@testable import Export

/// Data that a reader left in the pipe when it went away.
struct PipeTailTests {
    @Test(arguments: [(0, 0), (1, 1), (2, 1), (4, 2), (5, 2), (9, 2), (10, 3), (1000, 3)])
    func countsLinesThatEndInLastBytes(bytes: Int, lines: Int) {
        var tail = PipeTail()
        // Line ends at 4, 10 and 13 of 13 bytes.
        for part in ["one\ntw", "o-2\n", "th\n"] { tail.add(Array(part.utf8)) }
        #expect(tail.lines(inLast: bytes) == lines)
    }

    @Test func remembersNoMoreThanPipeCapacity() {
        var tail = PipeTail()
        let line = [UInt8](repeating: 0x78, count: 1023) + [10]
        for _ in 0..<10_000 { tail.add(line) }
        #expect(tail.lines(inLast: 1 << 20) == 1024)
        #expect(tail.lines(inLast: .max / 2) <= 3 * 1024)
    }
}
