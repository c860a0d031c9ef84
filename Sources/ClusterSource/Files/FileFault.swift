/// The reason why a file is unusable as a whole, and the place of the fault.
package struct FileFault: Error, Sendable, Hashable {
    /// The line, counted from 1; nil if the fault has no single line.
    package var line: Int?
    /// The reason, as a text for people.
    package var reason: String

    /// Takes both.
    package init(line: Int? = nil, reason: String) {
        self.line = line
        self.reason = reason
    }
}
