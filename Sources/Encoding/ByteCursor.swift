import FlowModel

/// A position in reserved memory that moves on with every write, without checks.
///
/// `@safe` to hold; the writes are safe only if enough space is reserved. An encoder reserves the maximum size of a record, and
/// ``ByteBuffer/advance(to:)`` stops the program if that was not enough.
@safe
struct ByteCursor {
    /// The address of the next byte.
    private(set) var next: UnsafeMutablePointer<UInt8>

    /// Starts at an address with enough space after it.
    init(at start: UnsafeMutablePointer<UInt8>) {
        unsafe next = start
    }

    /// Writes one byte.
    mutating func byte(_ value: UInt8) {
        unsafe next.pointee = value
        unsafe next += 1
    }

    /// Writes bytes of a ``ByteBuffer``.
    ///
    /// Short runs use steps of 16 bytes and may touch up to ``ByteBuffer/slack`` more bytes on both sides: keys and names have
    /// about that length, and a call of `memcpy` costs more than two such steps.
    mutating func copy(_ source: UnsafePointer<UInt8>, count: Int) {
        if count <= 64 {
            let from = unsafe UnsafeRawPointer(source)
            let target = unsafe UnsafeMutableRawPointer(next)
            var done = 0
            repeat {
                let step = unsafe from.loadUnaligned(fromByteOffset: done, as: SIMD16<UInt8>.self)
                unsafe target.storeBytes(of: step, toByteOffset: done, as: SIMD16<UInt8>.self)
                done += 16
            } while done < count
        } else {
            unsafe next.update(from: source, count: count)
        }
        unsafe next += count
    }

    /// Writes a text of at most eight bytes with one store.
    mutating func text(_ text: ShortText) {
        unsafe UnsafeMutableRawPointer(next).storeBytes(of: text.word, as: UInt64.self)
        unsafe next += text.count
    }

    /// Writes an address as text, without quotes.
    mutating func address(_ address: IPAddress) {
        unsafe next += address.writeText(to: next)
    }

    /// Writes a whole number in decimal.
    mutating func decimal(_ value: Int64) {
        if value < 0 { byte(UInt8(ascii: "-")) }
        decimal(value.magnitude)
    }

    /// Writes a whole number in decimal, two digits at a time.
    mutating func decimal(_ value: UInt64) {
        let pairs: StaticString = """
            0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
            5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
            """
        guard value >= 10 else { return byte(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value)) }
        let digits = Self.digitCount(value)
        var rest = value
        var place = unsafe UnsafeMutableRawPointer(next + digits)
        while rest >= 10 {
            let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
            let digitPair = unsafe UnsafeRawPointer(pairs.utf8Start).loadUnaligned(
                fromByteOffset: Int(truncatingIfNeeded: pair) &* 2,
                as: UInt16.self
            )
            unsafe place -= 2
            unsafe place.storeBytes(of: digitPair, as: UInt16.self)
            rest = quotient
        }
        // One digit remains if their number is odd; if it is even, all digits are written, and the remaining zero is not a
        // digit.
        if digits & 1 == 1 { unsafe next.pointee = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest) }
        unsafe next += digits
    }

    /// The number of decimal digits of a number of 10 or more.
    private static func digitCount(_ value: UInt64) -> Int {
        var limit: UInt64 = 100
        var digits = 2
        while digits < 19, value >= limit {
            limit &*= 10
            digits += 1
        }
        return value >= 10_000_000_000_000_000_000 ? 20 : digits
    }
}

/// A text of at most eight bytes, in a register.
struct ShortText {
    /// The bytes, in memory order.
    let word: UInt64
    /// The number of used bytes.
    let count: Int

    /// Takes the text's UTF-8, at most eight bytes.
    init(_ text: String) {
        precondition(text.utf8.count <= 8, "a text of at most eight bytes")
        var word: UInt64 = 0
        for byte in text.utf8.reversed() { word = word << 8 | UInt64(byte) }
        self.word = word.littleEndian
        count = text.utf8.count
    }
}
