/// The reason why the reader stopped, and the offset in the text.
package struct JSONError: Error {
    /// The offset in bytes from the beginning of the text.
    package var offset: Int
    /// The reason; if it begins with "expected", the message adds the text that was found.
    package var reason: StaticString
    /// Whether the text is not JSON, so that the rest is unreadable, too.
    var isSyntax: Bool

    /// The text is not JSON.
    package static func syntax(_ reason: StaticString, at offset: Int) -> JSONError {
        JSONError(offset: offset, reason: reason, isSyntax: true)
    }

    /// The text is JSON, but its content is unusable.
    static func unusable(_ reason: StaticString, at offset: Int) -> JSONError {
        JSONError(offset: offset, reason: reason, isSyntax: false)
    }
}

/// A part of the text that the reader skipped.
struct JSONNote {
    /// The kind of note.
    enum What {
        /// A value that is not used; if the reason begins with "expected", the message adds the text that was found.
        case passedOver(StaticString)
        /// A member that the field set does not contain; the offset is that of its value.
        case unknownField(FieldSet)
    }

    /// The offset in bytes from the beginning of the text.
    var offset: Int
    /// The kind of note.
    var what: What
}
