public import FlowModel

/// A selector of endpoints and network sets by their labels, in the language of Calico.
///
/// ```
/// expr = and { "||" and } ; and = op { "&&" op } ; op = {"!"} ( term | "(" expr ")" )
/// term = "all()" | "global()" | "has(" label ")"
///      | label ( "==" | "!=" | "contains" | "starts with" | "ends with" ) string
///      | label ( "in" | "not in" ) "{" string { "," string } "}"
/// ```
/// `!=` and `not in` hold where the label is absent; the other comparisons do not.
public struct Selector: Sendable, Hashable {
    /// How many parentheses may be open at once.
    public static let maximumDepth = 100
    /// The longest text that is read, in bytes; no API server stores an object that is larger.
    public static let maximumLength = 2 << 20
    /// The longest key of a label, in bytes.
    public static let maximumKeyLength = 512

    /// What it asks.
    let expression: SelectorExpression

    init(_ expression: SelectorExpression) {
        self.expression = expression
    }

    /// Reads a selector; empty text selects everything.
    ///
    /// Takes time that is linear in the length of the text.
    ///
    /// - Throws: where and why the text is not a selector.
    public init(_ text: String) throws(SelectorError) {
        expression = try SelectorParser.parse(text)
    }

    /// Selects everything.
    public static let all = Selector(.all)

    /// Whether it selects something with these labels.
    public func matches(_ labels: [Label]) -> Bool {
        expression.holds { key in labels.first { $0.key == key }?.value }
    }
}

extension Selector: CustomStringConvertible {
    /// The canonical text, the same for selectors that are written differently but read the same.
    public var description: String {
        var text = ""
        expression.write(to: &text)
        return text
    }
}

/// Where and why a text is not a selector.
public struct SelectorError: Error, Hashable, CustomStringConvertible {
    /// How far into the text it can be read, in bytes.
    public var position: Int
    /// What is wrong there.
    public var reason: String

    /// As in `position 7: expected a string in quotes`.
    public var description: String { "position \(position): \(reason)" }
}
