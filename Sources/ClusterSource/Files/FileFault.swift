/// Why a file cannot be used at all, and where in it.
struct FileFault: Error, Sendable, Hashable {
    /// The line, from 1; nil if it is not of one line.
    var line: Int?
    /// What is wrong.
    var reason: String
}
