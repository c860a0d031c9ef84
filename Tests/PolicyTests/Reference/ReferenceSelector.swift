/// A selector, parsed and evaluated in the simplest way, with the tests' own implementation of the grammar.
indirect enum ReferenceSelector {
    case all, global
    case has(String)
    case test(String, String, String)
    case member(String, [String], Bool)
    case not(ReferenceSelector)
    case both(ReferenceSelector, ReferenceSelector)
    case either(ReferenceSelector, ReferenceSelector)

    struct Unreadable: Error {}

    init(_ text: String) throws {
        var reader = Reader(tokens: try Self.tokens(text))
        if reader.tokens.isEmpty {
            self = .all
            return
        }
        self = try reader.either()
        guard reader.tokens.isEmpty else { throw Unreadable() }
    }

    /// Whether it matches labels whose keys have a prefix; for namespaces, `all()` matches any, `global()` none.
    func matches(_ labels: [String: String], prefix: String = "", ofNamespaces: Bool = false) -> Bool {
        func value(_ key: String) -> String? { labels[prefix.isEmpty ? key : prefix + key] }
        switch self {
        case .all: return !ofNamespaces || labels["projectcalico.org/namespace"] != nil
        case .global: return !ofNamespaces || labels["projectcalico.org/namespace"] == nil
        case .has(let key): return value(key) != nil
        case .test(let key, let comparison, let wanted):
            guard let own = value(key) else { return comparison == "!=" }
            switch comparison {
            case "==": return own == wanted
            case "!=": return own != wanted
            case "contains": return wanted.isEmpty || Self.find(wanted, in: own)
            case "starts with": return own.hasPrefix(wanted)
            default: return own.hasSuffix(wanted)
            }
        case .member(let key, let values, let isIn):
            guard let own = value(key) else { return !isIn }
            return values.contains(own) == isIn
        case .not(let inner): return !inner.matches(labels, prefix: prefix, ofNamespaces: ofNamespaces)
        case .both(let one, let other):
            return one.matches(labels, prefix: prefix, ofNamespaces: ofNamespaces)
                && other.matches(labels, prefix: prefix, ofNamespaces: ofNamespaces)
        case .either(let one, let other):
            return one.matches(labels, prefix: prefix, ofNamespaces: ofNamespaces)
                || other.matches(labels, prefix: prefix, ofNamespaces: ofNamespaces)
        }
    }

    private static func find(_ wanted: String, in text: String) -> Bool {
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(wanted) { return true }
            rest = rest.dropFirst()
        }
        return false
    }

    private static func tokens(_ text: String) throws -> [String] {
        var tokens: [String] = []
        var rest = text[...]
        while let first = rest.first {
            if first == " " || first == "\t" {
                rest = rest.dropFirst()
            } else if let symbol = ["&&", "||", "==", "!=", "!", "(", ")", "{", "}", ","].first(where: rest.hasPrefix) {
                tokens.append(symbol)
                rest = rest.dropFirst(symbol.count)
            } else if first == "'" || first == "\"" {
                let body = rest.dropFirst().prefix { $0 != first }
                guard body.endIndex < rest.endIndex else { throw Unreadable() }
                tokens.append("'" + body)
                rest = rest.dropFirst(body.count + 2)
            } else {
                let word = rest.prefix { $0.isLetter || $0.isNumber || "_./-".contains($0) }
                guard !word.isEmpty else { throw Unreadable() }
                tokens.append(String(word))
                rest = rest.dropFirst(word.count)
            }
        }
        return tokens
    }

    private struct Reader {
        var tokens: [String]

        mutating func take(_ token: String) -> Bool {
            guard tokens.first == token else { return false }
            tokens.removeFirst()
            return true
        }

        mutating func next() throws -> String {
            guard !tokens.isEmpty else { throw Unreadable() }
            return tokens.removeFirst()
        }

        mutating func text() throws -> String {
            let token = try next()
            guard token.hasPrefix("'") else { throw Unreadable() }
            return String(token.dropFirst())
        }

        mutating func either() throws -> ReferenceSelector {
            var result = try both()
            while take("||") { result = .either(result, try both()) }
            return result
        }

        mutating func both() throws -> ReferenceSelector {
            var result = try operation()
            while take("&&") { result = .both(result, try operation()) }
            return result
        }

        mutating func operation() throws -> ReferenceSelector {
            if take("!") { return .not(try operation()) }
            if take("(") {
                let inner = try either()
                guard take(")") else { throw Unreadable() }
                return inner
            }
            let word = try next()
            if ["all", "global", "has"].contains(word), take("(") {
                let result: ReferenceSelector = word == "has" ? .has(try next()) : word == "all" ? .all : .global
                guard take(")") else { throw Unreadable() }
                return result
            }
            switch try next() {
            case "==": return .test(word, "==", try text())
            case "!=": return .test(word, "!=", try text())
            case "contains": return .test(word, "contains", try text())
            case "starts" where take("with"), "startswith": return .test(word, "starts with", try text())
            case "ends" where take("with"), "endswith": return .test(word, "ends with", try text())
            case "in": return .member(word, try list(), true)
            case "not" where take("in"), "notin": return .member(word, try list(), false)
            default: throw Unreadable()
            }
        }

        mutating func list() throws -> [String] {
            guard take("{") else { throw Unreadable() }
            var values: [String] = []
            while !take("}") {
                values.append(try text())
                if tokens.first != "}", !take(",") { throw Unreadable() }
            }
            return values
        }
    }
}
