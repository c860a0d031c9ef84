import Encoding
import Testing

/// The buffer grows, returns its bytes and is reused.
struct ByteBufferTests {
    @Test func takeReturnsBytesAndEmptiesBuffer() {
        var buffer = ByteBuffer(capacity: 1)
        #expect(buffer.isEmpty == true)
        #expect(buffer.take() == [])
        buffer.append("ab")
        buffer.append(UInt8(ascii: "c"))
        #expect(buffer.count == 3)
        #expect(buffer.take() == Array("abc".utf8))
        #expect(buffer.isEmpty == true)
        buffer.append("d")
        buffer.removeAll()
        buffer.append("é")
        #expect(buffer.take() == [0xc3, 0xa9])
    }

    @Test func growthKeepsContent() {
        var buffer = ByteBuffer(capacity: 1)
        var expected: [UInt8] = []
        for index in 0..<10_000 {
            let text = "\(index),"
            buffer.append(text)
            expected += Array(text.utf8)
        }
        #expect(buffer.bytes.count == expected.count)
        #expect(buffer.bytes[5000] == expected[5000])
        #expect(buffer.take() == expected)
    }
}
