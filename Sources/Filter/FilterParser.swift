import FlowModel

/// A parser of filters by recursive descent; only parentheses recurse.
struct FilterParser {
    private let text: String
    private var scanner: FilterScanner

    /// Parses the whole text.
    static func parse(_ text: String) throws(FilterError) -> FilterExpression {
        guard text.utf8.count <= Filter.maximumLength else {
            let reason = "the filter has \(text.utf8.count) bytes, more than \(Filter.maximumLength)"
            throw FilterError(text: String(text.prefix(200)), position: 0, reason: reason)
        }
        var parser = FilterParser(text: text, scanner: FilterScanner(text))
        if parser.scanner.isAtEnd { return .all }
        let expression = try parser.expression(depth: 0)
        guard parser.scanner.isAtEnd else { throw parser.failure("expected && or || or the end") }
        return expression
    }

    private func failure(_ reason: String, at position: Int? = nil) -> FilterError {
        FilterError(text: text, position: position ?? scanner.position, reason: reason)
    }
}

// MARK: - Expressions

extension FilterParser {
    private mutating func expression(depth: Int) throws(FilterError) -> FilterExpression {
        var parts = [try conjunction(depth: depth)]
        while scanner.take("||") { parts.append(try conjunction(depth: depth)) }
        return .disjunction(parts)
    }

    private mutating func conjunction(depth: Int) throws(FilterError) -> FilterExpression {
        var parts = [try operation(depth: depth)]
        while scanner.take("&&") { parts.append(try operation(depth: depth)) }
        return .conjunction(parts)
    }

    private mutating func operation(depth: Int) throws(FilterError) -> FilterExpression {
        var isNegated = false
        while scanner.take("!") { isNegated.toggle() }
        let operand: FilterExpression
        if scanner.take("(") {
            guard depth < Filter.maximumDepth else {
                throw failure("more than \(Filter.maximumDepth) parentheses within each other")
            }
            operand = try expression(depth: depth + 1)
            guard scanner.take(")") else { throw failure("expected )") }
        } else {
            operand = try test()
        }
        return isNegated ? operand.negated : operand
    }

    private mutating func test() throws(FilterError) -> FilterExpression {
        let start = scanner.position
        guard let word = scanner.word() else {
            throw failure("expected the name of a field, has(…), ! or (")
        }
        if scanner.take("(") {
            switch word {
            case "all":
                guard scanner.take(")") else { throw failure("expected )") }
                return .all
            case "has":
                let operand = try operand(nil, at: scanner.position)
                guard scanner.take(")") else { throw failure("expected )") }
                return operand.expression(.present)
            default: throw failure("there is no \(word)(…), only has(…) and all()", at: start)
            }
        }
        let operand = try operand(word, at: start)
        return try comparison(of: operand)
    }

    /// Reads a name, and the key of a label after it.
    private mutating func operand(_ known: String?, at start: Int) throws(FilterError) -> FilterOperand {
        guard let word = known ?? scanner.word() else { throw failure("expected the name of a field") }
        guard let name = FilterName.all[word] else {
            let hint = FilterName.nearest(to: word).map { "; did you mean \($0)?" } ?? "; docs/fields.md lists all"
            throw failure("there is no field \"\(word)\"\(hint)", at: start)
        }
        let bracket = scanner.position
        guard scanner.take("[") else { return FilterOperand(word: word, name: name, key: nil) }
        guard name.type == .labels else {
            throw failure("only labels have keys, and \(word) has no labels", at: bracket)
        }
        guard let key = scanner.string(), !key.isEmpty else {
            throw failure("expected the key of a label in quotes, as in \(word)[\"app\"]")
        }
        guard scanner.take("]") else { throw failure("expected ]") }
        return FilterOperand(word: word, name: name, key: key)
    }
}

// MARK: - Comparisons

extension FilterParser {
    private mutating func comparison(of operand: FilterOperand) throws(FilterError) -> FilterExpression {
        let place = scanner.position
        if scanner.take("==") { return operand.expression(try one(of: operand)) }
        if scanner.take("!=") { return operand.expression(try one(of: operand)).negated }
        for (sign, range) in Self.orders where scanner.take(sign) {
            guard operand.kind == .number else {
                throw failure("\(sign) compares numbers, and \(operand) is \(operand.kind.rawValue)", at: place)
            }
            let value = try number(of: operand)
            return operand.expression(.numbers(range(value).map { [$0] } ?? []))
        }
        if scanner.takeWords(["not", "in"]) || scanner.takeWords(["notin"]) {
            return operand.expression(try several(of: operand)).negated
        }
        if scanner.takeWords(["in"]) { return operand.expression(try several(of: operand)) }
        for (words, condition) in Self.parts where scanner.takeWords(words) {
            guard operand.kind == .text else {
                throw failure(
                    "\(words.joined(separator: " ")) compares texts, and \(operand) is \(operand.kind.rawValue)",
                    at: place
                )
            }
            guard let value = scanner.string() else { throw failure("expected a text in quotes") }
            return operand.expression(condition(value))
        }
        if scanner.take("=") { throw failure("= is no operator; == compares", at: place) }
        throw failure("expected an operator behind \(operand): \(operand.kind.operators)")
    }

    /// Order operators, the longer ones first, with the range of numbers that satisfy a bound; nil if none does.
    private static let orders: [(String, @Sendable (UInt64) -> ClosedRange<UInt64>?)] = [
        ("<=", { 0...$0 }), (">=", { $0...UInt64.max }), ("<", { $0 > 0 ? 0...($0 - 1) : nil }),
        (">", { $0 < .max ? ($0 + 1)...UInt64.max : nil }),
    ]

    private static let parts: [([String], @Sendable (String) -> FilterCondition)] = [
        (["contains"], { .contains($0) }), (["starts", "with"], { .startsWith($0) }),
        (["startswith"], { .startsWith($0) }), (["ends", "with"], { .endsWith($0) }),
        (["endswith"], { .endsWith($0) }),
    ]

    /// Reads the value after `==`.
    private mutating func one(of operand: FilterOperand) throws(FilterError) -> FilterCondition {
        var values = FilterValues()
        try readValue(of: operand, into: &values)
        return values.condition(operand.kind)
    }

    /// Reads the set after `in`.
    private mutating func several(of operand: FilterOperand) throws(FilterError) -> FilterCondition {
        guard scanner.take("{") else { throw failure("expected { and values, as in {\(operand.kind.example)}") }
        var values = FilterValues()
        repeat {
            try readValue(of: operand, into: &values)
            guard scanner.take(",") else { break }
        } while !scanner.isNext("}")
        guard scanner.take("}") else { throw failure("expected , or }") }
        return values.condition(operand.kind)
    }

    private mutating func readValue(of operand: FilterOperand, into values: inout FilterValues) throws(FilterError) {
        switch operand.kind {
        case .number: values.numbers.append(try number(of: operand))
        case .text: values.texts.append(try text(of: operand))
        case .address:
            let place = scanner.position
            guard let value = scanner.string() else {
                throw failure("expected an address or a range in quotes, as in \(operand.kind.example)")
            }
            guard let range = IPPrefix(value) else {
                throw failure("\"\(value)\" is no address and no range as in \(operand.kind.example)", at: place)
            }
            values.addresses.append(range)
        }
    }

    /// Reads a number of 0 or more, with or without quotes.
    private mutating func number(of operand: FilterOperand) throws(FilterError) -> UInt64 {
        let place = scanner.position
        guard let digits = scanner.digits() ?? scanner.string() else {
            throw failure("\(operand) is a number: expected one")
        }
        guard digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let value = UInt64(digits) else {
            throw failure("\"\(digits)\" is no number from 0 to \(UInt64.max)", at: place)
        }
        return value
    }

    /// Reads a text in quotes; a text of decimal digits needs no quotes.
    private mutating func text(of operand: FilterOperand) throws(FilterError) -> String {
        let place = scanner.position
        guard var value = scanner.string() ?? scanner.digits() else {
            let word = scanner.word()
            throw failure("expected a text in quotes" + (word.map { ", as in \"\($0)\"" } ?? ""), at: place)
        }
        if case .field(.proto) = operand.name, let number = UInt8(value) { value = IPProtocol(rawValue: number).name }
        if operand.key == nil, let vocabulary = operand.name.vocabulary, !vocabulary.contains(value) {
            let words = vocabulary.filter { UInt8($0) == nil }.joined(separator: ", ")
            let numbers = vocabulary.count > 200 ? ", or the number of a protocol" : ""
            throw failure("\(operand) is never \"\(value)\": it is one of \(words)\(numbers)", at: place)
        }
        return value
    }
}
