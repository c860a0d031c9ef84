/// Why a file cannot be used at all, and where in it.
package struct FileFault: Error, Sendable, Hashable {
    /// The line, from 1; nil if it is not of one line.
    package var line: Int?
    /// What is wrong.
    package var reason: String

    /// Takes both.
    package init(line: Int? = nil, reason: String) {
        self.line = line
        self.reason = reason
    }
}
