/// The reason why an output cannot be opened.
package struct OutputError: Error, Hashable, CustomStringConvertible {
    /// The output.
    package let output: OutputSpecification
    /// The reason, with the system's name for it.
    package let reason: String
    /// The remedy; empty if there is none.
    package let advice: String

    /// One line: the operation, its object, the reason and the remedy.
    package var description: String {
        "open \(output): \(reason)" + (advice.isEmpty ? "" : "; \(advice)")
    }
}
