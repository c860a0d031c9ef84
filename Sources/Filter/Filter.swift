package import FlowModel

/// A filter over the fields of flow records, in the style of Calico's selectors.
///
/// Outputs, live views, queries and the API use the same language.
///
/// ```
/// expr  = and { "||" and } ; and = op { "&&" op } ; op = {"!"} ( test | "(" expr ")" )
/// test  = "all()" | "has(" name ")"
///       | name ( "==" | "!=" ) value
///       | name ( "<" | "<=" | ">" | ">=" ) number
///       | name ( "in" | "not in" ) "{" value { "," value } "}"
///       | name ( "contains" | "starts with" | "ends with" ) string
/// name  = field | field "[" string "]" ; value = string | number ; string = "…" or '…' without escapes
/// ```
/// `docs/filters.md` describes the language for users. `!=` and `not in` hold if the field is absent; the other
/// comparisons do not.
package struct Filter: Sendable {
    /// The maximum length of a filter, in bytes.
    package static let maximumLength = 64 << 10
    /// The maximum depth of parentheses.
    package static let maximumDepth = 100

    /// The source text.
    package let text: String
    /// The filter as an expression tree.
    package let expression: FilterExpression
    private let program: FilterProgram

    /// Parses and compiles a filter; an empty text matches every record.
    ///
    /// Parsing takes time that is linear in the length of the text.
    ///
    /// - Throws: the position and the reason of a syntax error.
    package init(_ text: String) throws(FilterError) {
        self.text = text
        expression = try FilterParser.parse(text)
        program = FilterProgram(expression)
    }

    /// Whether a record of this process matches; does not allocate.
    package func matches(_ record: borrowing FlowRecord) -> Bool {
        program.matches(record)
    }

    /// Whether any other source of a record's fields matches.
    package func matches(_ source: borrowing some FieldSource) -> Bool {
        program.matches(source)
    }
}

extension Filter: Hashable {
    /// Filters are equal if they have the same tests in the same order, however their texts are written.
    package static func == (left: Filter, right: Filter) -> Bool { left.program == right.program }

    /// Hashes the compiled tests.
    package func hash(into hasher: inout Hasher) { hasher.combine(program) }
}

extension Filter: CustomStringConvertible {
    /// The source text.
    package var description: String { text }
}
