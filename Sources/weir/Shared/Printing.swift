import Foundation
import Screen

// What commands print is made of names that others chose. These functions stand between all of it and the terminal.

/// Prints lines of text on standard output; what could control a terminal is written out as `\u{…}`.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(TerminalText.neutralizedLines(text), terminator: terminator)
}

/// Prints JSON, or YAML with values as JSON, on standard output; what could control a terminal becomes JSON escapes.
func printJSON(_ text: String, terminator: String = "\n") {
    Swift.print(TerminalText.neutralizedJSONLines(text), terminator: terminator)
}

/// Writes lines of text to standard error; what could control a terminal is written out as `\u{…}`.
///
/// A failure to write is ignored: there is no other place to report it.
func complain(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data((TerminalText.neutralizedLines(text) + "\n").utf8))
}
