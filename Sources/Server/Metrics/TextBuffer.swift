import Glibc

/// A growing byte buffer; a scrape writes some megabytes in small pieces.
struct TextBuffer: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// The number of bytes.
    private(set) var count = 0

    /// Creates an empty buffer.
    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit {
        base.deallocate()
    }

    /// Passes the bytes to a body.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Reserves space for `more` bytes.
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if count + more > capacity { grow(more) }
    }

    private mutating func grow(_ more: Int) {
        let larger = max(capacity * 2, count + more)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        moved.update(from: base, count: count)
        base.deallocate()
        (base, capacity) = (moved, larger)
    }

    /// Appends bytes.
    @inline(__always)
    mutating func append(_ bytes: [UInt8]) {
        reserve(bytes.count)
        bytes.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { memcpy(base + count, start, source.count) }
        }
        count += bytes.count
    }

    /// Appends text.
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { source in
            reserve(source.count)
            if let start = source.baseAddress { memcpy(base + count, start, source.count) }
            count += source.count
        }
    }

    /// Appends `head{first,second} number` and a newline; the head includes the opening brace.
    @inline(__always)
    mutating func appendSample(head: [UInt8], _ first: [UInt8], _ second: [UInt8], _ number: UInt64) {
        reserve(head.count + first.count + second.count + 24)
        copy(head)
        copy(first)
        base[count] = 0x2c
        count += 1
        copy(second)
        base[count] = 0x7d
        base[count + 1] = 0x20
        count += 2
        append(number)
        append(byte: 0x0a)
    }

    /// Copies bytes into reserved space.
    @inline(__always)
    private mutating func copy(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { memcpy(base + count, start, source.count) }
        }
        count += bytes.count
    }

    /// Appends one byte.
    @inline(__always)
    mutating func append(byte: UInt8) {
        reserve(1)
        base[count] = byte
        count += 1
    }

    /// Appends a number in decimal.
    @inline(__always)
    mutating func append(_ number: UInt64) {
        reserve(20)
        var digits = 1
        var bound: UInt64 = 10
        while number >= bound {
            digits += 1
            let (next, isOver) = bound.multipliedReportingOverflow(by: 10)
            if isOver { break }
            bound = next
        }
        var rest = number
        var place = count + digits
        repeat {
            place -= 1
            base[place] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
            rest /= 10
        } while rest > 0
        count += digits
    }
}
