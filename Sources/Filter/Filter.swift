package import FlowModel

/// A question about flow records in the look of Calico's selectors, over all fields of the record: the one language in
/// which outputs, live views, queries and the API choose records.
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
    /// The longest text that is read, in bytes.
    package static let maximumLength = 64 << 10
    /// How many parentheses may be open at once.
    package static let maximumDepth = 100

    /// The text that was read.
    package let text: String
    /// What it asks, as a tree.
    package let expression: FilterExpression
    private let program: FilterProgram

    /// Reads and compiles a filter; empty text is true for every record.
    ///
    /// Takes time that is linear in the length of the text.
    ///
    /// - Throws: where and why the text is not a filter.
    package init(_ text: String) throws(FilterError) {
        self.text = text
        expression = try FilterParser.parse(text)
        program = FilterProgram(expression)
    }

    /// Whether a record of this process is what the filter asks for; allocates nothing.
    package func matches(_ record: borrowing FlowRecord) -> Bool {
        program.matches(record)
    }

    /// Whether anything with the fields of a record is.
    package func matches(_ source: borrowing some FieldSource) -> Bool {
        program.matches(source)
    }
}

extension Filter: Hashable {
    /// Filters are equal if they ask the same, however it is written.
    package static func == (left: Filter, right: Filter) -> Bool { left.expression == right.expression }

    /// Hashes what it asks.
    package func hash(into hasher: inout Hasher) { hasher.combine(expression) }
}

extension Filter: CustomStringConvertible {
    /// The text that was read.
    package var description: String { text }
}
