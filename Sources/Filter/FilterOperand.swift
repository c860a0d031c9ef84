import FlowModel

/// The left side of an operator: a name, and for a label its key.
struct FilterOperand: CustomStringConvertible {
    /// The name as it is written.
    let word: String
    /// The resolved name.
    let name: FilterName
    /// The key of a label; nil without one.
    let key: String?

    /// How values are compared.
    enum Kind: String {
        case text = "a text"
        case number = "a number"
        case address = "an address"

        /// The operators, as a text for people.
        var operators: String {
            switch self {
            case .text: "==, !=, in, not in, contains, starts with, ends with"
            case .number: "==, !=, <, <=, >, >=, in, not in"
            case .address: "==, !=, in, not in"
            }
        }

        /// An example of a value, as a text for people.
        var example: String {
            switch self {
            case .text: "\"kube-system\""
            case .number: "443"
            case .address: "\"10.0.0.0/8\""
            }
        }
    }

    /// How values of the operand are compared.
    var kind: Kind {
        switch name.type {
        case .integer, .port, .integers: .number
        case .address, .addresses: .address
        case .string, .name, .strings, .labels, .policies: .text
        }
    }

    /// The name as it is written, with the key.
    var description: String { key.map { "\(word)[\"\($0)\"]" } ?? word }

    /// A test of the operand; for a name of both ends, a disjunction of two tests.
    func expression(_ condition: FilterCondition) -> FilterExpression {
        .disjunction(
            name.subjects.map { subject in
                guard let key, case .field(let field) = subject else { return .test(subject, condition) }
                return .test(.label(field, key: key), condition)
            }
        )
    }
}

/// The values on the right of an operator, all of one kind.
struct FilterValues {
    /// Texts.
    var texts: [String] = []
    /// Numbers.
    var numbers: [UInt64] = []
    /// Ranges of addresses.
    var addresses: [IPPrefix] = []

    /// The condition that a value is one of these.
    func condition(_ kind: FilterOperand.Kind) -> FilterCondition {
        switch kind {
        case .text: .equals(Self.ordered(texts))
        case .number: .numbers(Set(numbers).sorted().map { $0...$0 })
        case .address: .addresses(addresses)
        }
    }

    /// Texts sorted by their bytes, without duplicates; only texts with the same bytes are duplicates.
    private static func ordered(_ texts: [String]) -> [String] {
        var ordered: [String] = []
        for text in texts.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if let last = ordered.last, last.utf8.elementsEqual(text.utf8) { continue }
            ordered.append(text)
        }
        return ordered
    }
}
