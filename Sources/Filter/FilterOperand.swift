import FlowModel

/// The left side of an operator: a name, and for labels a key.
struct FilterOperand: CustomStringConvertible {
    /// The name as it was written.
    let word: String
    /// The subject.
    let name: FilterName
    /// The key of a label; nil without one.
    let key: String?

    /// The way in which values are compared.
    enum Kind: String {
        case text = "a text"
        case number = "a number"
        case address = "an address"

        /// The operators, for people.
        var operators: String {
            switch self {
            case .text: "==, !=, in, not in, contains, starts with, ends with"
            case .number: "==, !=, <, <=, >, >=, in, not in"
            case .address: "==, !=, in, not in"
            }
        }

        /// A value, for people.
        var example: String {
            switch self {
            case .text: "\"kube-system\""
            case .number: "443"
            case .address: "\"10.0.0.0/8\""
            }
        }
    }

    /// The way in which its values are compared.
    var kind: Kind {
        switch name.type {
        case .integer, .port, .integers: .number
        case .address, .addresses: .address
        case .string, .name, .strings, .labels, .policies: .text
        }
    }

    /// The name as it was written, with the key.
    var description: String { key.map { "\(word)[\"\($0)\"]" } ?? word }

    /// A question about it; for a name of both ends, whether either of them fits.
    func expression(_ condition: FilterCondition) -> FilterExpression {
        .disjunction(
            name.subjects.map { subject in
                guard let key, case .field(let field) = subject else { return .test(subject, condition) }
                return .test(.label(field, key: key), condition)
            }
        )
    }
}

/// Values on the right of an operator, of one kind.
struct FilterValues {
    /// Texts.
    var texts: [String] = []
    /// Numbers.
    var numbers: [UInt64] = []
    /// Ranges of addresses.
    var addresses: [IPPrefix] = []

    /// The test whether a value is one of them.
    func condition(_ kind: FilterOperand.Kind) -> FilterCondition {
        switch kind {
        case .text: .equals(Self.ordered(texts))
        case .number: .numbers(Set(numbers).sorted().map { $0...$0 })
        case .address: .addresses(addresses)
        }
    }

    /// Texts in the order of their bytes, each once; texts of other bytes are others, even if they look the same.
    private static func ordered(_ texts: [String]) -> [String] {
        var ordered: [String] = []
        for text in texts.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if let last = ordered.last, last.utf8.elementsEqual(text.utf8) { continue }
            ordered.append(text)
        }
        return ordered
    }
}
