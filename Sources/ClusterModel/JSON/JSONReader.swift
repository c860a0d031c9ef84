/// Reads a JSON text (RFC 8259) value by value in the order of the text; nothing is built that is not asked for.
///
/// An object is read with ``enterObject()`` and then ``nextKey()`` until nil, an array with ``enterArray()`` and
/// ``nextElement()`` until false. After each key or element exactly one value is to be read or skipped. Values of
/// another type than the one asked for are passed over and noted.
package struct JSONReader: ~Escapable {
    /// The greatest depth of nested values; deeper text is refused, whatever its content.
    static let depthLimit = 512
    /// The number of notes that are kept of one text.
    static let noteLimit = 100

    /// The text.
    package let bytes: Span<UInt8>
    /// The place of the reader.
    package var offset: Int
    /// The number of objects and arrays around that place.
    private(set) var depth = 0
    /// Whether the object or array that was entered last has not been looked into yet.
    private var isFresh = false
    /// Whether a value of the wrong type is an error and not passed over: where a missing condition would widen a rule.
    var isStrict = false
    /// The values and members that were passed over, in the order of reading.
    private(set) var notes: [JSONNote] = []
    /// The members so far of the object that is read which its API does not have.
    var unknownMembers = UnknownMembers()
    let takesNotes: Bool

    /// Begins at a place of a text.
    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>, at offset: Int = 0, takesNotes: Bool = false) {
        self.bytes = bytes
        self.offset = offset
        self.takesNotes = takesNotes
    }

    /// A place that the reader can go back to: where a value begins.
    struct Place {
        fileprivate var offset: Int
        fileprivate var depth: Int
    }

    /// The place of the reader, before a value.
    var place: Place { Place(offset: offset, depth: depth) }

    /// Goes back to a place, also after an error within the value that begins there.
    mutating func go(to place: Place) {
        offset = place.offset
        depth = place.depth
        isFresh = false
        isStrict = false
    }

    // MARK: - Places

    /// Goes over white space and gives the byte that is there; 0 at the end of the text.
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

    /// Goes over eight spaces at a time: the indentation of lists that are written for people.
    @inline(__always)
    private mutating func skipSpaces() {
        while offset &+ 8 <= bytes.count, word(at: offset) == 0x2020_2020_2020_2020 { offset &+= 8 }
    }

    /// Eight bytes of the text, the first one lowest.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Whether a byte is white space (RFC 8259 section 2).
    @inline(__always)
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }

    /// Whether nothing but white space is left.
    package var isAtEnd: Bool {
        mutating get { peek() == 0 && offset == bytes.count }
    }

    /// Makes sure that nothing but white space is left.
    package mutating func expectEnd() throws(JSONError) {
        if !isAtEnd { throw .syntax("more text after the value", at: offset) }
    }

    // MARK: - Notes

    /// Notes something that is passed over.
    mutating func note(_ reason: StaticString, at offset: Int) {
        note(.passedOver(reason), at: offset)
    }

    /// Notes a member that the object's API does not have; of many, the first ones.
    mutating func noteUnknown(at offset: Int, _ fields: FieldSet) {
        if unknownMembers.add(offset, fields) { note(.unknownField(fields), at: offset) }
    }

    private mutating func note(_ what: JSONNote.What, at offset: Int) {
        guard takesNotes, notes.count < Self.noteLimit else { return }
        notes.append(JSONNote(offset: offset, what: what))
    }

    /// Takes back notes that turned out to be none.
    mutating func dropNotes(after count: Int) {
        dropNotes(in: count..<notes.count)
    }

    /// Takes back some notes that turned out to be none.
    mutating func dropNotes(in range: Range<Int>) {
        if !range.isEmpty { notes.removeSubrange(range) }
    }

    /// Hands out the notes that were taken since the last time.
    mutating func takeNotes() -> [JSONNote] {
        defer { notes.removeAll() }
        return notes
    }

    /// Passes over a value of the wrong type; null is no value and needs no note.
    mutating func skipMismatch(_ reason: StaticString) throws(JSONError) {
        let start = offset
        let byte = peek()
        try skip()
        guard byte != UInt8(ascii: "n") else { return }
        if isStrict { throw .unusable(reason, at: start) }
        note(reason, at: start)
    }

    // MARK: - Objects and arrays

    /// Enters an object; false if the value is none, and has been passed over.
    package mutating func enterObject() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "{") else {
            try skipMismatch("expected an object")
            return false
        }
        try enter()
        return true
    }

    /// Enters an array; false if the value is none, and has been passed over.
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

    /// Goes to the first byte of the value of the object's next member and gives its key; nil at the end of the object,
    /// which is left.
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

    /// Goes to the first byte of the array's next element; false at the end of the array, which is left.
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
