/// Reads a JSON text (RFC 8259) value by value, in the order of the text, without building a tree.
///
/// An object is read with ``enterObject()`` and then ``nextKey()`` until nil, an array with ``enterArray()`` and
/// ``nextElement()`` until false. After each key or element the caller must read or skip exactly one value. Values of an
/// unexpected type are skipped and noted.
package struct JSONReader: ~Escapable {
    /// The greatest depth of nested values; deeper text is an error.
    static let depthLimit = 512
    /// The most notes that are kept for one text.
    static let noteLimit = 100

    /// The text.
    package let bytes: Span<UInt8>
    /// The offset of the reader.
    package var offset: Int
    /// The number of objects and arrays that enclose the offset.
    private(set) var depth = 0
    /// Whether nothing was read yet from the object or array that was entered last.
    private var isFresh = false
    /// Whether a value of the wrong type is an error and not skipped, because an absent condition would widen a rule.
    var isStrict = false
    /// The skipped values and members, in the order of reading.
    private(set) var notes: [JSONNote] = []
    /// The unknown members of the current object so far.
    var unknownMembers = UnknownMembers()
    let takesNotes: Bool

    /// Begins at an offset of a text.
    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>, at offset: Int = 0, takesNotes: Bool = false) {
        self.bytes = bytes
        self.offset = offset
        self.takesNotes = takesNotes
    }

    /// The state of the reader before a value, to return to.
    struct Place {
        fileprivate var offset: Int
        fileprivate var depth: Int
    }

    /// The present state of the reader, which must be before a value.
    var place: Place { Place(offset: offset, depth: depth) }

    /// Returns to a state, also after an error within the value.
    mutating func go(to place: Place) {
        offset = place.offset
        depth = place.depth
        isFresh = false
        isStrict = false
    }

    // MARK: - Places

    /// Skips white space and returns the next byte; 0 at the end of the text.
    ///
    /// Valid JSON has no zero byte outside of strings, so that 0 is an error wherever a value is expected.
    @inline(__always)
    package mutating func peek() -> UInt8 {
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte > 0x20 { return byte }
            guard Self.isWhitespace(byte) else { return byte }
            offset &+= 1
            skipSpaces()
        }
        return 0
    }

    /// Skips eight spaces at a time, which is fast for indented text.
    @inline(__always)
    private mutating func skipSpaces() {
        while offset &+ 8 <= bytes.count, word(at: offset) == 0x2020_2020_2020_2020 { offset &+= 8 }
    }

    /// Eight bytes of the text; the first one is the least significant.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Whether a byte is white space (RFC 8259 section 2).
    @inline(__always)
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }

    /// Whether only white space is left.
    package var isAtEnd: Bool {
        mutating get { peek() == 0 && offset == bytes.count }
    }

    /// Throws if more than white space is left.
    package mutating func expectEnd() throws(JSONError) {
        if !isAtEnd { throw .syntax("more text after the value", at: offset) }
    }

    // MARK: - Notes

    /// Notes a skipped value.
    mutating func note(_ reason: StaticString, at offset: Int) {
        note(.passedOver(reason), at: offset)
    }

    /// Notes a member that the object's API does not define; only the first ones are kept.
    mutating func noteUnknown(at offset: Int, _ fields: FieldSet) {
        if unknownMembers.add(offset, fields) { note(.unknownField(fields), at: offset) }
    }

    private mutating func note(_ what: JSONNote.What, at offset: Int) {
        guard takesNotes, notes.count < Self.noteLimit else { return }
        notes.append(JSONNote(offset: offset, what: what))
    }

    /// Removes the notes after an index, which proved wrong.
    mutating func dropNotes(after count: Int) {
        dropNotes(in: count..<notes.count)
    }

    /// Removes some notes, which proved wrong.
    mutating func dropNotes(in range: Range<Int>) {
        if !range.isEmpty { notes.removeSubrange(range) }
    }

    /// Returns and removes all notes.
    mutating func takeNotes() -> [JSONNote] {
        defer { notes.removeAll() }
        return notes
    }

    /// Skips a value of the wrong type, and notes it; null needs no note.
    mutating func skipMismatch(_ reason: StaticString) throws(JSONError) {
        let start = offset
        let byte = peek()
        try skip()
        guard byte != UInt8(ascii: "n") else { return }
        if isStrict { throw .unusable(reason, at: start) }
        note(reason, at: start)
    }

    // MARK: - Objects and arrays

    /// Enters an object; skips a value of another type and returns false.
    package mutating func enterObject() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "{") else {
            try skipMismatch("expected an object")
            return false
        }
        try enter()
        return true
    }

    /// Enters an array; skips a value of another type and returns false.
    package mutating func enterArray() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "[") else {
            try skipMismatch("expected a list")
            return false
        }
        try enter()
        return true
    }

    private mutating func enter() throws(JSONError) {
        guard depth < Self.depthLimit else { throw .syntax("too deeply nested", at: offset) }
        offset &+= 1
        depth &+= 1
        isFresh = true
    }

    /// Goes to the value of the next member and returns its key; at the end of the object it leaves the object and
    /// returns nil.
    @_lifetime(copy self)
    package mutating func nextKey() throws(JSONError) -> JSONText? {
        var byte = peek()
        if byte == UInt8(ascii: "}") {
            leave()
            return nil
        }
        if isFresh {
            isFresh = false
        } else {
            guard byte == UInt8(ascii: ",") else { throw .syntax("expected , or }", at: offset) }
            offset &+= 1
            byte = peek()
        }
        guard byte == UInt8(ascii: "\"") else { throw .syntax("expected a key", at: offset) }
        let key = try readText()
        guard peek() == UInt8(ascii: ":") else { throw .syntax("expected :", at: offset) }
        offset &+= 1
        _ = peek()
        return key
    }

    /// Goes to the next element of the array; at the end of the array it leaves the array and returns false.
    package mutating func nextElement() throws(JSONError) -> Bool {
        let byte = peek()
        if byte == UInt8(ascii: "]") {
            leave()
            return false
        }
        if isFresh {
            isFresh = false
        } else {
            guard byte == UInt8(ascii: ",") else { throw .syntax("expected , or ]", at: offset) }
            offset &+= 1
            _ = peek()
        }
        return true
    }

    private mutating func leave() {
        offset &+= 1
        depth &-= 1
        isFresh = false
    }
}
