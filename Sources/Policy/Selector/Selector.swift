public import FlowModel

/// A selector of endpoints and network sets by their labels, in the language of Calico.
///
/// ```
/// expr = and { "||" and } ; and = op { "&&" op } ; op = {"!"} ( term | "(" expr ")" )
/// term = "all()" | "global()" | "has(" label ")"
///      | label ( "==" | "!=" | "contains" | "starts with" | "ends with" ) string
///      | label ( "in" | "not in" ) "{" string { "," string } "}"
/// ```
/// `!=` and `not in` match if the label is absent; the other comparisons do not.
public struct Selector: Sendable, Hashable {
    /// The maximum nesting depth of parentheses.
    public static let maximumDepth = 100
    /// The maximum length of a selector, in bytes; no API server stores a larger object.
    public static let maximumLength = 2 << 20
    /// The maximum length of a label key, in bytes.
    public static let maximumKeyLength = 512

    /// The parsed expression.
    let expression: SelectorExpression

    init(_ expression: SelectorExpression) {
        self.expression = expression
    }

    /// Parses a selector; empty text selects everything.
    ///
    /// The run time is linear in the length of the text.
    ///
    /// - Throws: an error with the position and the reason.
    public init(_ text: String) throws(SelectorError) {
        expression = try SelectorParser.parse(text)
    }

    /// A selector that matches everything.
    public static let all = Selector(.all)

    /// Whether the selector matches the labels.
    public func matches(_ labels: [Label]) -> Bool {
        expression.holds { key in labels.first { $0.key == key }?.value }
    }
}

extension Selector: CustomStringConvertible {
    /// The canonical text, equal for selectors that differ only in notation.
    public var description: String {
        var text = ""
        expression.write(to: &text)
        return text
    }
}

/// The position and the reason of a syntax error.
public struct SelectorError: Error, Hashable, CustomStringConvertible {
    /// The offset of the error, in bytes.
    public var position: Int
    /// The reason.
    public var reason: String

    /// The message, such as `position 7: expected a string in quotes`.
    public var description: String { "position \(position): \(reason)" }
}
