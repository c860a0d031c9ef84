/// An output with its options as one text, in the form of the command line: `file:/a;max-size=10M`.
enum OutputText {
    /// Whether a value contains a semicolon outside of quotes, which would end the value.
    static func splits(_ value: String) -> Bool {
        var quote: Character?
        for character in value {
            if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
            } else if quote == nil, character == ";" {
                return true
            }
        }
        // An unclosed quote would also contain the options that follow.
        return quote != nil
    }

    /// Joins a destination and its options.
    static func join(_ place: String, _ options: [(name: String, value: String)]) -> String {
        options.reduce(place) { "\($0);\($1.name)=\($1.value)" }
    }
}
