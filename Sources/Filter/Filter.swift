package import FlowModel

/// A filter over all fields of flow records, in the style of Calico's selectors.
///
/// Outputs, live views, queries and the API use this one language.
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
/// `docs/filters.md` describes it for users. `!=` and `not in` hold where the field is absent; the other comparisons do
/// not.
package struct Filter: Sendable {
    /// The maximum length of a filter, in bytes.
    package static let maximumLength = 64 << 10
    /// The maximum depth of parentheses.
    package static let maximumDepth = 100

    /// The text that was read.
    package let text: String
    /// The filter as a tree.
    package let expression: FilterExpression
    private let program: FilterProgram

    /// Reads and compiles a filter; empty text is true for every record.
    ///
    /// Takes time that is linear in the length of the text.
    ///
    /// - Throws: the position and the reason why the text is not a filter.
    package init(_ text: String) throws(FilterError) {
        self.text = text
        expression = try FilterParser.parse(text)
        program = FilterProgram(expression)
    }

    /// Whether a record of this process matches; does not allocate.
    package func matches(_ record: borrowing FlowRecord) -> Bool {
        program.matches(record)
    }

    /// Whether a value with the fields of a record matches.
    package func matches(_ source: borrowing some FieldSource) -> Bool {
        program.matches(source)
    }
}

extension Filter: Hashable {
    /// Filters are equal if they ask the same in the same order, regardless of how their text is written.
    package static func == (left: Filter, right: Filter) -> Bool { left.program == right.program }

    /// Hashes what is asked.
    package func hash(into hasher: inout Hasher) { hasher.combine(program) }
}

extension Filter: CustomStringConvertible {
    /// The text that was read.
    package var description: String { text }
}
