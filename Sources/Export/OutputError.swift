/// Why an output cannot begin.
public struct OutputError: Error, Hashable, CustomStringConvertible {
    /// The output.
    public let output: OutputSpecification
    /// What went wrong, with the system's name for it.
    public let reason: String
    /// What to do about it; empty where nothing better than the reason is known.
    public let advice: String

    /// One line: what, on what, why, what to do.
    public var description: String {
        "open \(output): \(reason)" + (advice.isEmpty ? "" : "; \(advice)")
    }
}
