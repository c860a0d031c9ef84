/// An error in the text of a filter, with its position.
package struct FilterError: Error, Hashable, CustomStringConvertible {
    /// The text of the filter.
    package let text: String
    /// The position of the error, in bytes from the beginning of the text.
    package let position: Int
    /// The reason.
    package let reason: String

    /// The reason, and the line of the text with a caret below the position.
    ///
    ///     position 5: expected == or another operator
    ///       proto = "tcp"
    ///             ^
    package var description: String {
        "position \(position + 1): \(reason)\n  \(excerpt.line)\n  \(String(repeating: " ", count: excerpt.column))^"
    }

    /// The most bytes of the text that are shown before and after the position.
    private static let room = 60

    /// The displayed part of the text, without control characters, and the column of the position in it.
    private var excerpt: (line: String, column: Int) {
        let bytes = Array(text.utf8)
        let place = min(position, bytes.count)
        let start = max(0, place - Self.room)
        let end = min(bytes.count, place + Self.room)
        let before = Self.printable(bytes[start..<place])
        let line = (start > 0 ? "…" : "") + before + Self.printable(bytes[place..<end]) + (end < bytes.count ? "…" : "")
        return (line, before.count + (start > 0 ? 1 : 0))
    }

    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return String(text.map { $0.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f } ? " " : $0 })
    }
}
