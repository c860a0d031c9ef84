/// The reason why the reader stopped at a place in the text.
package struct JSONError: Error {
    /// The place, in bytes from the beginning of the text.
    package var offset: Int
    /// The fault, in words; after one that begins with "expected" the message adds what is found there.
    package var reason: StaticString
    /// Whether the text is not JSON, so that nothing behind the place can be read either.
    var isSyntax: Bool

    /// The text is not JSON.
    package static func syntax(_ reason: StaticString, at offset: Int) -> JSONError {
        JSONError(offset: offset, reason: reason, isSyntax: true)
    }

    /// The text is JSON, and says what cannot be used.
    static func unusable(_ reason: StaticString, at offset: Int) -> JSONError {
        JSONError(offset: offset, reason: reason, isSyntax: false)
    }
}

/// Something that the reader passed over.
struct JSONNote {
    /// The kind of note.
    enum What {
        /// A value that is not used; after a reason that begins with "expected" the message adds what is found there.
        case passedOver(StaticString)
        /// A member that is not in the set of known fields; the place is its value's.
        case unknownField(FieldSet)
    }

    /// The place, in bytes from the beginning of the text.
    var offset: Int
    /// The kind.
    var what: What
}
