/// An option with an empty value, as in a script whose variable is not set; no option accepts it.
struct EmptyValue: Error, CustomStringConvertible {
    /// The option as it was written.
    let option: String

    var description: String { "\(option): the value is empty; give one, or leave the option out" }

    /// Finds an option with an empty value among the words of a command line.
    ///
    /// - Parameter words: the arguments of the process.
    /// - Throws: an `EmptyValue` for the first one.
    static func check(_ words: [String]) throws(EmptyValue) {
        for (index, word) in words.enumerated() {
            if word == "--" { return }
            if word.hasPrefix("--"), let equals = word.firstIndex(of: "="),
                isEmpty(word[word.index(after: equals)...])
            {
                throw EmptyValue(option: String(word[..<equals]))
            }
            guard isEmpty(word[...]), index > 0 else { continue }
            let option = words[index - 1]
            guard option.hasPrefix("-"), option != "-", !option.contains("=") else { continue }
            throw EmptyValue(option: option)
        }
    }

    private static func isEmpty(_ text: Substring) -> Bool { text.allSatisfy(\.isWhitespace) }
}
