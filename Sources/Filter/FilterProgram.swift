import FlowModel

/// A filter as steps with jumps: ends as soon as the result is known, without recursion and allocation.
///
/// Programs are equal if they ask the same in the same order, byte by byte.
struct FilterProgram: Sendable, Hashable {
    /// A test, and the next step for each result; plain bytes, so that nothing is counted when it is read.
    private struct Step: Sendable, Hashable {
        var subject: Subject
        /// The field; for hits ``FlowField/policies``.
        var field: FlowField
        var test: FilterTest
        /// The fastest access to the value in a record of this process.
        var access = FlowField.Access.value
        /// For a field of few texts: a bit for each of them for which the test holds.
        var choices: UInt8 = 0
        /// The beginning of a label, `key=`: a place in the texts.
        var head: TextRange
        /// The next step, or ``accept`` or ``reject``.
        var onTrue: Int32
        var onFalse: Int32
    }

    private enum Subject: UInt8, Sendable {
        case field
        case label
        case enforcedHits
        case pendingHits
    }

    private static let accept: Int32 = -1
    private static let reject: Int32 = -2

    private var steps: [Step] = []
    private var operands = FilterOperands()
    private var start = FilterProgram.accept

    /// Compiles a tree.
    init(_ expression: FilterExpression) {
        // From the end: what a step jumps to exists before it.
        start = compile(expression, Self.accept, Self.reject)
    }

    /// Adds the steps of an expression and returns the first one.
    private mutating func compile(_ expression: FilterExpression, _ onTrue: Int32, _ onFalse: Int32) -> Int32 {
        switch expression {
        case .all: return onTrue
        case .not(let inner): return compile(inner, onFalse, onTrue)
        case .and(let parts):
            return parts.reversed().reduce(onTrue) { next, part in compile(part, next, onFalse) }
        case .or(let parts):
            return parts.reversed().reduce(onFalse) { next, part in compile(part, onTrue, next) }
        case .test(let subject, let condition):
            steps.append(step(subject, condition, onTrue, onFalse))
            return Int32(steps.count - 1)
        }
    }

    private mutating func step(
        _ subject: FilterSubject,
        _ condition: FilterCondition,
        _ onTrue: Int32,
        _ onFalse: Int32
    ) -> Step {
        var step = Step(
            subject: .field,
            field: .policies,
            test: FilterTest(condition, &operands),
            head: TextRange(),
            onTrue: onTrue,
            onFalse: onFalse
        )
        switch subject {
        case .field(let field):
            (step.field, step.access) = (field, field.access)
            for (place, text) in field.choices.enumerated() where step.test.holds(.text(text), operands) {
                step.choices |= 1 << place
            }
        case .label(let field, let key):
            (step.subject, step.field, step.head) = (.label, field, operands.add(key + "="))
            // What is there begins with nothing; numbers and addresses are asked of no label.
            if case .present = condition { step.test = FilterTest(.startsWith(""), &operands) }
        case .hits(.enforced): step.subject = .enforcedHits
        case .hits(.pending): step.subject = .pendingHits
        }
        return step
    }

    /// Whether a record matches: the same as for any value with its fields, without a call through a witness, and mostly without
    /// a ``FieldValue``, which is copied and released by its case.
    func matches(_ record: borrowing FlowRecord) -> Bool {
        var place = start
        while place >= 0 {
            let step = steps[Int(place)]
            let isTrue =
                switch step.access {
                case .choice: step.choices >> record.choice(in: step.field) & 1 != 0
                case .count: step.test.holds(record.count(in: step.field), operands)
                case .name: step.test.holds(record.name(in: step.field), operands)
                case .value: holds(step, record.value(of: step.field))
                }
            place = isTrue ? step.onTrue : step.onFalse
        }
        return place == Self.accept
    }

    /// Whether a value with the fields of a record matches.
    func matches(_ source: borrowing some FieldSource) -> Bool {
        var place = start
        while place >= 0 {
            let step = steps[Int(place)]
            place = holds(step, source.value(of: step.field)) ? step.onTrue : step.onFalse
        }
        return place == Self.accept
    }

    /// Whether a step's test holds for the value of its field.
    @inline(__always)
    private func holds(_ step: Step, _ value: FieldValue) -> Bool {
        switch step.subject {
        case .field: return step.test.holds(value, operands)
        case .label:
            guard case .labels(let set) = value else { return false }
            return step.test.holds(labelsOf: set, head: step.head, operands)
        case .enforcedHits:
            guard case .hits(let hits, _) = value else { return false }
            return step.test.holds(any: hits, operands)
        case .pendingHits:
            guard case .hits(_, let hits) = value else { return false }
            return step.test.holds(any: hits, operands)
        }
    }
}
