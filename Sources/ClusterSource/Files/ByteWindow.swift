/// A window that moves through a file.
struct ByteWindow {
    /// The largest text that can be kept in memory as a whole.
    static let keepLimit = 64 << 20
    private static let pieceSize = 1 << 18

    private let file: FileReader
    private var bytes = [UInt8](repeating: 0, count: pieceSize)
    private var position = 0
    private var end = 0
    private var keptFrom: Int?
    /// The line of the next byte, counted from 1.
    private(set) var line = 1

    /// Creates a window at the beginning of a file.
    init(_ file: FileReader) {
        self.file = file
    }

    /// The next byte; nil at the end of the file.
    @inline(__always)
    mutating func peek() throws(FileFault) -> UInt8? {
        if position < end { return bytes[position] }
        return try fill() ? bytes[position] : nil
    }

    /// Skips the next byte, which must exist and must not be a line break.
    @inline(__always)
    mutating func advance() {
        position += 1
    }

    /// Skips white space and returns the next byte; nil at the end of the file.
    @inline(__always)
    mutating func peekPastSpace() throws(FileFault) -> UInt8? {
        while let byte = try peek() {
            switch byte {
            case UInt8(ascii: "\n"): line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            default: return byte
            }
            position += 1
        }
        return nil
    }

    /// Skips all bytes up to a quotation mark, a backslash or a control character.
    @inline(__always)
    mutating func advanceInString() throws(FileFault) {
        repeat {
            while position < end {
                let byte = bytes[position]
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { return }
                position += 1
            }
        } while try fill()
    }

    // MARK: Keeping

    /// Starts to keep the bytes from the next one on.
    mutating func keep() {
        keptFrom = position
    }

    /// The number of bytes kept so far.
    var keptCount: Int { keptFrom.map { position - $0 } ?? 0 }

    /// A range of the kept bytes.
    func kept(_ range: Range<Int>) -> ArraySlice<UInt8> {
        guard let keptFrom else { return [] }
        return bytes[keptFrom + range.lowerBound..<keptFrom + range.upperBound]
    }

    /// Returns the kept bytes and stops keeping.
    mutating func takeKept() -> [UInt8] {
        defer { keptFrom = nil }
        return Array(kept(0..<keptCount))
    }

    /// Reads more bytes, and discards those that are neither kept nor unread; false at the end of the file.
    private mutating func fill() throws(FileFault) -> Bool {
        let start = keptFrom ?? position
        if start > 0 {
            bytes.withUnsafeMutableBytes { $0.copyBytes(from: $0[start..<end]) }
            (position, end) = (position - start, end - start)
            if keptFrom != nil { keptFrom = 0 }
        }
        if end == bytes.count {
            guard end < Self.keepLimit else {
                throw FileFault(line: line, reason: "an object is larger than \(Self.keepLimit >> 20) MiB")
            }
            bytes += [UInt8](repeating: 0, count: bytes.count)
        } else if keptFrom == nil, bytes.count > Self.pieceSize {
            // Shrinks the buffer after a large object.
            bytes.removeLast(bytes.count - max(Self.pieceSize, end + 1))
        }
        let read = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(FileFault) in
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
            }
        }
        let count = try read.get()
        end += count
        return count > 0
    }
}
