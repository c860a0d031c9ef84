import FlowModel

/// A label in the form for selectors: the numbers of its key and value, and the text of the value for comparisons.
struct LabelNumbers: Sendable {
    /// The key's number.
    var key: UInt32
    /// The number of the value; 0 if no selector compares the whole value.
    var value: UInt32
    /// The value.
    var text: String
}

/// All distinct selectors in use, as short programs over numbered keys and values.
///
/// A number is never reused during the lifetime of a table, so cached results for a selector stay valid.
struct SelectorTable: Sendable {
    private var numbers: [String: UInt32] = [:]
    private var programs: [SelectorProgram] = []
    private var keys: [String: UInt32] = [:]
    private var values: [String: UInt32] = [:]

    /// The number of selectors.
    var count: Int { programs.count }

    /// A size that grows when keys or values are added; then labels must be numbered again.
    var vocabulary: Int { keys.count + values.count }

    /// Returns the number of a selector, and adds a new selector.
    mutating func number(of selector: Selector) -> UInt32 {
        let text = selector.description
        if let number = numbers[text] { return number }
        let number = UInt32(programs.count)
        var program = SelectorProgram()
        program.append(selector.expression, &self)
        programs.append(program)
        numbers[text] = number
        return number
    }

    /// Whether a selector matches labels.
    func holds(_ number: UInt32, for labels: [LabelNumbers]) -> Bool {
        programs[Int(number)].holds(for: labels)
    }

    /// The numbers of the labels whose keys occur in a selector.
    func numbered(_ labels: [Label]) -> [LabelNumbers] {
        labels.compactMap { label in
            keys[label.key].map { LabelNumbers(key: $0, value: values[label.value] ?? 0, text: label.value) }
        }
    }

    fileprivate mutating func key(_ text: String) -> UInt32 {
        Self.number(text, in: &keys)
    }

    fileprivate mutating func value(_ text: String) -> UInt32 {
        Self.number(text, in: &values)
    }

    private static func number(_ text: String, in table: inout [String: UInt32]) -> UInt32 {
        let next = UInt32(table.count + 1)
        let number = table[text, default: next]
        if number == next { table[text] = next }
        return number
    }
}

/// A selector's tree in one array, each node followed by its parts, so that evaluation follows no references.
struct SelectorProgram: Sendable {
    private enum Operation: UInt8 {
        case all, has, equals, among, contains, startsWith, endsWith, not, and, or
    }

    private struct Step: Sendable {
        var operation: Operation
        /// The label's key.
        var key: UInt32 = 0
        /// The number of the value; for ``Operation/among``, the first index in `values`; for substrings, the index in
        /// `texts`.
        var value: UInt32 = 0
        /// The number of values for ``Operation/among``.
        var count: UInt32 = 0
        /// The index of the step after its last part.
        var end: UInt32 = 0
    }

    private var steps: [Step] = []
    private var values: [UInt32] = []
    private var texts: [String] = []

    fileprivate mutating func append(_ expression: SelectorExpression, _ table: inout SelectorTable) {
        let start = steps.count
        switch expression {
        case .all, .global: steps.append(Step(operation: .all))
        case .has(let key): steps.append(Step(operation: .has, key: table.key(key)))
        case .compare(let key, .equals, let value):
            steps.append(Step(operation: .equals, key: table.key(key), value: table.value(value)))
        case .compare(let key, let comparison, let value):
            let operation: Operation =
                switch comparison {
                case .startsWith: .startsWith
                case .endsWith: .endsWith
                default: .contains
                }
            steps.append(Step(operation: operation, key: table.key(key), value: UInt32(texts.count)))
            texts.append(value)
        case .among(let key, let list):
            let first = UInt32(values.count)
            values += list.map { table.value($0) }.sorted()
            steps.append(Step(operation: .among, key: table.key(key), value: first, count: UInt32(list.count)))
        case .not(let inner): append(.not, [inner], &table)
        case .and(let parts): append(.and, parts, &table)
        case .or(let parts): append(.or, parts, &table)
        }
        steps[start].end = UInt32(steps.count)
    }

    private mutating func append(_ operation: Operation, _ parts: [SelectorExpression], _ table: inout SelectorTable) {
        steps.append(Step(operation: operation))
        for part in parts { append(part, &table) }
    }

    /// Whether the selector matches labels.
    func holds(for labels: [LabelNumbers]) -> Bool {
        holds(at: 0, labels)
    }

    private func holds(at index: Int, _ labels: [LabelNumbers]) -> Bool {
        let step = steps[index]
        switch step.operation {
        case .all: return true
        case .not: return !holds(at: index + 1, labels)
        case .and: return part(of: step, index, labels, is: false) == nil
        case .or: return part(of: step, index, labels, is: true) != nil
        default: break
        }
        guard let label = labels.firstIndex(where: { $0.key == step.key }) else { return false }
        switch step.operation {
        case .has: return true
        case .equals: return labels[label].value == step.value
        case .among: return hasValue(labels[label].value, step)
        case .contains: return comparison(.contains, labels[label].text, step)
        case .startsWith: return comparison(.startsWith, labels[label].text, step)
        default: return comparison(.endsWith, labels[label].text, step)
        }
    }

    /// The index of the first part with the given result; nil if there is none.
    private func part(of step: Step, _ index: Int, _ labels: [LabelNumbers], is wanted: Bool) -> Int? {
        var next = index + 1
        while next < Int(step.end) {
            if holds(at: next, labels) == wanted { return next }
            next = Int(steps[next].end)
        }
        return nil
    }

    private func comparison(_ kind: SelectorExpression.Comparison, _ text: String, _ step: Step) -> Bool {
        kind.holds(text, texts[Int(step.value)])
    }

    /// Whether the values of a step, which are sorted, contain a value.
    private func hasValue(_ value: UInt32, _ step: Step) -> Bool {
        var low = Int(step.value)
        var high = low + Int(step.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] == value { return true }
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return false
    }
}
