import ClusterModel
import FlowModel

/// One step of a decision in a table, as a number: a rule, a tier's default action, or the profiles.
struct DecisionStep: RawRepresentable, Sendable, Hashable {
    /// The number.
    var rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The default action of a tier, by its place in the table.
    static func endOfTier(_ stretch: Int) -> DecisionStep { DecisionStep(rawValue: 1 << 31 | UInt32(stretch)) }
    /// The profiles.
    static let profiles = DecisionStep(rawValue: .max - 1)
    /// Steps of policies in force end, and those of all policies begin.
    static let pending = DecisionStep(rawValue: .max)

    /// The place of the tier whose default action it is; nil if it is something else.
    var stretch: Int? {
        rawValue >> 31 == 1 && rawValue < DecisionStep.profiles.rawValue ? Int(rawValue & ~(1 << 31)) : nil
    }
}

/// Finds the trace for a path of decisions without making any text: paths are followed from step to step in a tree.
struct TraceTrie: Sendable {
    private struct Contents: Hashable, Sendable {
        var action: FlowAction
        var enforced: [String]
        var pending: [String]
    }

    private var nodes = IntegerMap()
    /// The trace at each node, 0 if there is none yet; the first node is no node.
    private var traceAt: [UInt32] = [0]
    /// All traces; the first is none.
    private(set) var traces: [PolicyTrace?] = [nil]
    private var numbers: [Contents: UInt32] = [:]

    /// How many nodes there are in all.
    var count: Int { traceAt.count }

    /// A new tree.
    mutating func root() -> UInt32 {
        traceAt.append(0)
        return UInt32(traceAt.count - 1)
    }

    /// The node behind a step.
    mutating func follow(_ step: DecisionStep, from node: UInt32) -> UInt32 {
        let key = UInt64(node) << 32 | UInt64(step.rawValue)
        if let next = nodes.value(key) { return next }
        let next = root()
        nodes.insert(key, next)
        return next
    }

    /// The number of the trace at a node; 0 if there is none yet.
    func trace(at node: UInt32) -> UInt32 { traceAt[Int(node)] }

    /// Sets the trace at a node: one with the same contents if there is one, else a new one.
    mutating func setTrace(at node: UInt32, action: FlowAction, enforced: [String], pending: [String]) -> UInt32 {
        let contents = Contents(action: action, enforced: enforced, pending: pending)
        let number = numbers[contents] ?? UInt32(traces.count)
        if Int(number) == traces.count {
            traces.append(PolicyTrace(action: action, enforced: enforced, pending: pending))
            numbers[contents] = number
        }
        traceAt[Int(node)] = number
        return number
    }

    /// Lets go of the trees, and of traces where there are very many.
    mutating func removeTrees(keepingTraces limit: Int) {
        nodes = IntegerMap()
        traceAt = [0]
        guard traces.count > limit else { return }
        traces = [nil]
        numbers = [:]
    }
}

/// Makes the hits of a path of decisions.
enum HitText {
    /// The hits of the policies in force.
    static func enforced(_ steps: [DecisionStep], _ table: SubjectTable) -> [String] {
        steps.enumerated().map { text($0, $1, table, isPending: false) }
    }

    /// The hits of all policies.
    static func pending(_ steps: [DecisionStep], _ table: SubjectTable) -> [String] {
        steps.enumerated().map { text($0, $1, table, isPending: true) }
    }

    /// What a path ends in.
    static func action(_ steps: [DecisionStep], _ table: SubjectTable) -> FlowAction {
        guard let last = steps.last else { return .deny }
        if last == .profiles {
            if case .allowed = table.profiles { return .allow }
            return .deny
        }
        if last.stretch != nil { return .deny }
        return table.rule(last).action == .allow ? .allow : .deny
    }

    private static func text(_ index: Int, _ step: DecisionStep, _ table: SubjectTable, isPending: Bool) -> String {
        if step == .profiles { return profile(index, table.profiles, table.format, isPending) }
        if let place = step.stretch {
            let stretch = table.stretches[place]
            // In force the last policy of the tier is named, else the first that did not match.
            let policy = isPending ? stretch.policies.lowerBound : stretch.lastEnforced ?? stretch.policies.lowerBound
            let action = stretch.tier.defaultAction == .pass ? "pass" : "deny"
            return "\(index)|\(table.policies[policy].hitText)\(action)|-1"
        }
        let (policy, number, action) = table.rule(step)
        return "\(index)|\(table.policies[policy].hitText)\(action.rawValue)|\(number)"
    }

    private static func profile(
        _ index: Int,
        _ outcome: ProfileOutcome,
        _ format: PolicyFormat,
        _ isPending: Bool
    ) -> String {
        var hit = PolicyHit(
            index: index,
            tier: PolicyHit.profileTier,
            kind: .profile,
            name: PolicyHit.noMatch,
            action: .deny,
            ruleIndex: 0
        )
        switch outcome {
        case .allowed(let name):
            hit.name = name
            hit.action = .allow
        case .none where isPending:
            hit.name = PolicyHit.profileTier
            hit.ruleIndex = PolicyHit.endOfTier
        case .none, .noMatch: break
        }
        return hit.text(format)
    }
}

extension SubjectTable {
    /// The policy, number and action of the rule that a step is.
    func rule(_ step: DecisionStep) -> (policy: Int, number: Int, action: PolicyHit.Action) {
        var low = 0
        var high = firstRules.count
        // The last policy whose first rule is not behind it; policies without rules share their number with the next.
        while low < high {
            let middle = (low + high) >> 1
            if firstRules[middle] <= step.rawValue { low = middle + 1 } else { high = middle }
        }
        let policy = low - 1
        let number = Int(step.rawValue - firstRules[policy])
        let action: PolicyHit.Action =
            switch policies[policy].rules(key.direction)?[number].action {
            case .allow: .allow
            case .pass: .pass
            default: .deny
            }
        return (policy, number, action)
    }
}
