import FlowModel

/// A filter as steps with jumps, which ends as soon as the result is known and needs no recursion or allocation.
///
/// Programs are equal if they have the same tests in the same order, byte by byte.
struct FilterProgram: Sendable, Hashable {
    /// A test, and the next step for each result; a trivial type, so that reading it changes no reference counts.
    private struct Step: Sendable, Hashable {
        var subject: Subject
        /// The field; ``FlowField/policies`` for policy hits.
        var field: FlowField
        var test: FilterTest
        /// The fastest access to the value in a record of this process.
        var access = FlowField.Access.value
        /// For a field with few possible texts: one bit for each text, set if the test holds for it.
        var choices: UInt8 = 0
        /// The beginning of a label, `key=`, as a range of the operands.
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
        case transitHits
    }

    private static let accept: Int32 = -1
    private static let reject: Int32 = -2

    private var steps: [Step] = []
    private var operands = FilterOperands()
    private var start = FilterProgram.accept

    /// Compiles a tree.
    init(_ expression: FilterExpression) {
        // Steps are compiled from the end, so that a step's targets already exist.
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
            // `startsWith("")` holds for every value of a label, also for `-`; labels have no number or address tests.
            if case .present = condition { step.test = FilterTest(.startsWith(""), &operands) }
        case .hits(.enforced): step.subject = .enforcedHits
        case .hits(.pending): step.subject = .pendingHits
        case .hits(.transit): step.subject = .transitHits
        }
        return step
    }

    /// Whether a record matches.
    ///
    /// The result is the same as for any other source of its fields. This overload needs no witness calls, and in most
    /// cases no ``FieldValue``, whose copies and releases cost time.
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

    /// Whether a source of a record's fields matches.
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
            guard case .hits(let hits, _, _) = value else { return false }
            return step.test.holds(any: hits, operands)
        case .pendingHits:
            guard case .hits(_, let hits, _) = value else { return false }
            return step.test.holds(any: hits, operands)
        case .transitHits:
            guard case .hits(_, _, let hits) = value else { return false }
            return step.test.holds(any: hits, operands)
        }
    }
}
