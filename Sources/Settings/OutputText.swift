/// An output with its options as one text, as the command line takes it: `file:/a;max-size=10M`.
enum OutputText {
    /// Whether a value has a semicolon outside of quotes, which would end it.
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
        // Everything after an unclosed quote would belong to it.
        return quote != nil
    }

    /// The text of a destination and its options.
    static func join(_ place: String, _ options: [(name: String, value: String)]) -> String {
        options.reduce(place) { "\($0);\($1.name)=\($1.value)" }
    }
}
