import Foundation
import Screen

// Printed text contains names from outside. These functions neutralize it before it reaches the terminal.

/// Prints lines of text on standard output; characters that could control a terminal are written as `\u{…}`.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(TerminalText.neutralizedLines(text), terminator: terminator)
}

/// Prints JSON, or YAML with JSON values, on standard output; characters that could control a terminal are written as JSON
/// escapes.
func printJSON(_ text: String, terminator: String = "\n") {
    Swift.print(TerminalText.neutralizedJSONLines(text), terminator: terminator)
}

/// Writes lines of text to standard error; characters that could control a terminal are written as `\u{…}`.
///
/// A write error is ignored, because it cannot be reported elsewhere.
func complain(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data((TerminalText.neutralizedLines(text) + "\n").utf8))
}
