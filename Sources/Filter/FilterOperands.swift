import FlowModel
import Glibc

/// A range of bytes, texts or other operands in ``FilterOperands``.
struct TextRange: Sendable, Hashable {
    /// The index of the first byte or operand.
    var start: Int32 = 0
    /// The number of bytes or operands.
    var count: Int32 = 0

    /// The range of indices.
    @inline(__always)
    var indices: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// The operands of a filter: texts, and ranges of numbers and of addresses, in flat arrays.
struct FilterOperands: Sendable, Hashable {
    private var bytes: [UInt8] = []
    private var texts: [TextRange] = []
    private var numbers: [ClosedRange<UInt64>] = []
    private var addresses: [IPPrefix] = []

    /// Adds the bytes of a text.
    mutating func add(_ text: String) -> TextRange {
        let start = bytes.count
        bytes += text.utf8
        return TextRange(start: Int32(start), count: Int32(bytes.count - start))
    }

    /// Adds texts, sorted by their bytes.
    mutating func add(_ added: [String]) -> TextRange {
        let ordered = added.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let ranges = ordered.map { add($0) }
        texts += ranges
        return TextRange(start: Int32(texts.count - ranges.count), count: Int32(ranges.count))
    }

    /// Adds ranges of numbers.
    mutating func add(_ ranges: [ClosedRange<UInt64>]) -> TextRange {
        numbers += ranges
        return TextRange(start: Int32(numbers.count - ranges.count), count: Int32(ranges.count))
    }

    /// Adds ranges of addresses.
    mutating func add(_ ranges: [IPPrefix]) -> TextRange {
        addresses += ranges
        return TextRange(start: Int32(addresses.count - ranges.count), count: Int32(ranges.count))
    }

    /// Whether one of the ranges contains a number.
    func contains(_ number: UInt64, in ranges: TextRange) -> Bool {
        for index in ranges.indices where numbers[index].contains(number) { return true }
        return false
    }

    /// Whether one of the ranges contains an address.
    func contains(_ address: IPAddress, in ranges: TextRange) -> Bool {
        for index in ranges.indices where addresses[index].contains(address) { return true }
        return false
    }

    /// Whether the bytes are equal to one of the texts.
    func contains(_ text: UnsafeBufferPointer<UInt8>, in several: TextRange) -> Bool {
        bytes.withUnsafeBufferPointer { bytes in
            var (low, high) = (several.indices.lowerBound, several.indices.upperBound)
            while low < high {
                let middle = (low + high) / 2
                let order = text.order(UnsafeBufferPointer(rebasing: bytes[texts[middle].indices]))
                if order == 0 { return true }
                if order > 0 { low = middle + 1 } else { high = middle }
            }
            return false
        }
    }

    /// Whether the bytes are equal to a text.
    @inline(__always)
    func isText(_ text: TextRange, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        with(text) { bytes.count == $0.count && bytes.startsWith($0) }
    }

    /// Whether the bytes begin with a text.
    @inline(__always)
    func isHead(_ text: TextRange, of bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        with(text) { bytes.startsWith($0) }
    }

    /// Whether the bytes end with a text.
    func isTail(_ text: TextRange, of bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count >= Int(text.count) else { return false }
        let tail = UnsafeBufferPointer(rebasing: bytes[(bytes.count - Int(text.count))...])
        return isText(text, tail)
    }

    /// Whether the bytes contain a text.
    func isPart(_ text: TextRange, of bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        with(text) { bytes.contains($0) }
    }

    @inline(__always)
    private func with(_ text: TextRange, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) -> Bool {
        bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[text.indices])) }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether these bytes begin with others.
    @inline(__always)
    fileprivate func startsWith(_ head: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count >= head.count else { return false }
        guard let one = baseAddress, let other = head.baseAddress else { return head.isEmpty }
        return memcmp(one, other, head.count) == 0
    }

    /// Whether these bytes contain others.
    fileprivate func contains(_ part: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = part.first else { return true }
        guard let base = baseAddress, count >= part.count else { return false }
        // The positions where the part can begin.
        var rest = UnsafeBufferPointer(rebasing: self[...(count - part.count)])
        while let start = rest.baseAddress, let found = memchr(start, Int32(first), rest.count) {
            let place = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            if UnsafeBufferPointer(rebasing: self[place...]).startsWith(part) { return true }
            rest = UnsafeBufferPointer(rebasing: self[(place + 1)..<(count - part.count + 1)])
        }
        return false
    }

    /// Compares bytes lexicographically: negative, 0 or positive, as in `memcmp(3)`.
    fileprivate func order(_ other: UnsafeBufferPointer<UInt8>) -> Int {
        let shared = Swift.min(count, other.count)
        if let one = baseAddress, let two = other.baseAddress {
            let order = memcmp(one, two, shared)
            if order != 0 { return Int(order) }
        }
        return count - other.count
    }
}
