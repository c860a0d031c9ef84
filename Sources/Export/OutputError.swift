/// Why an output cannot begin.
package struct OutputError: Error, Hashable, CustomStringConvertible {
    /// The output.
    package let output: OutputSpecification
    /// What went wrong, with the system's name for it.
    package let reason: String
    /// What to do about it; empty where nothing better than the reason is known.
    package let advice: String

    /// One line: what, on what, why, what to do.
    package var description: String {
        "open \(output): \(reason)" + (advice.isEmpty ? "" : "; \(advice)")
    }
}
