import FlowModel

/// A filter as steps with jumps: ends as soon as the result is known, without recursion and allocation.
struct FilterProgram: Sendable {
    /// A test, and the next step for each result.
    private struct Step: Sendable {
        let subject: Subject
        let condition: FilterTest
        /// The next step, or ``accept`` or ``reject``.
        var onTrue: Int
        var onFalse: Int
    }

    private enum Subject: Sendable {
        case field(FlowField)
        case label(FlowField, FilterLabel)
        case enforcedHits
        case pendingHits
    }

    private static let accept = -1
    private static let reject = -2

    private var steps: [Step] = []
    private var start = FilterProgram.accept

    /// Compiles a tree.
    init(_ expression: FilterExpression) {
        // From the end: what a step jumps to exists before it.
        start = compile(expression, Self.accept, Self.reject)
    }

    /// Adds the steps of an expression and returns the first one.
    private mutating func compile(_ expression: FilterExpression, _ onTrue: Int, _ onFalse: Int) -> Int {
        switch expression {
        case .all: return onTrue
        case .not(let inner): return compile(inner, onFalse, onTrue)
        case .and(let parts):
            return parts.reversed().reduce(onTrue) { next, part in compile(part, next, onFalse) }
        case .or(let parts):
            return parts.reversed().reduce(onFalse) { next, part in compile(part, onTrue, next) }
        case .test(let subject, let condition):
            steps.append(
                Step(
                    subject: Self.subject(subject, condition),
                    condition: FilterTest(condition),
                    onTrue: onTrue,
                    onFalse: onFalse
                )
            )
            return steps.count - 1
        }
    }

    private static func subject(_ subject: FilterSubject, _ condition: FilterCondition) -> Subject {
        switch subject {
        case .field(let field): .field(field)
        case .label(let field, let key): .label(field, FilterLabel(key: key, condition))
        case .hits(.enforced): .enforcedHits
        case .hits(.pending): .pendingHits
        }
    }

    /// Whether a value with the fields of a record matches.
    func matches(_ source: borrowing some FieldSource) -> Bool {
        var place = start
        while place >= 0 {
            place = Self.holds(steps[place], source) ? steps[place].onTrue : steps[place].onFalse
        }
        return place == Self.accept
    }

    private static func holds(_ step: borrowing Step, _ source: borrowing some FieldSource) -> Bool {
        switch step.subject {
        case .field(let field): return step.condition.holds(source.value(of: field))
        case .label(let field, let label):
            guard case .labels(let set) = source.value(of: field) else { return false }
            return label.holds(set)
        case .enforcedHits:
            guard case .hits(let hits, _) = source.value(of: .policies) else { return false }
            return step.condition.holds(any: hits)
        case .pendingHits:
            guard case .hits(_, let hits) = source.value(of: .policies) else { return false }
            return step.condition.holds(any: hits)
        }
    }
}
