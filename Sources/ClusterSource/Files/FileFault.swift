/// The reason why a file cannot be used at all, and the place of the fault in it.
package struct FileFault: Error, Sendable, Hashable {
    /// The line, from 1; nil if it is not of one line.
    package var line: Int?
    /// The fault, in words.
    package var reason: String

    /// Takes both.
    package init(line: Int? = nil, reason: String) {
        self.line = line
        self.reason = reason
    }
}
