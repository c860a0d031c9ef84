import ClusterModel
import FlowModel

/// A step of a decision, encoded as a number: a rule, the default action of a tier, or the profiles.
struct DecisionStep: RawRepresentable, Sendable, Hashable {
    /// The number.
    var rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The default action of a tier, by the tier's index in the table.
    static func endOfTier(_ stretch: Int) -> DecisionStep { DecisionStep(rawValue: 1 << 31 | UInt32(stretch)) }
    /// The profiles.
    static let profiles = DecisionStep(rawValue: .max - 1)
    /// The separator after the steps of enforced policies and before those of all policies.
    static let pending = DecisionStep(rawValue: .max)

    /// The mark of a path that depends on domain names of the destination.
    static let dependsOnDomains = DecisionStep(rawValue: .max - 2)

    /// The index of the tier whose default action this is; nil for other steps.
    var stretch: Int? {
        rawValue >> 31 == 1 && rawValue < DecisionStep.dependsOnDomains.rawValue ? Int(rawValue & ~(1 << 31)) : nil
    }
}

/// Maps paths of decision steps to traces without creating text; paths are stored as a tree.
struct TraceTrie: Sendable {
    private struct Contents: Hashable, Sendable {
        var action: FlowAction
        var enforced: [String]
        var pending: [String]
        var dependsOnDomains: Bool
    }

    private var nodes = IntegerMap()
    /// The trace of each node, 0 if it has none yet; node 0 is not used.
    private var traceAt: [UInt32] = [0]
    /// All traces; the first is a placeholder for none.
    private(set) var traces: [PolicyTrace?] = [nil]
    private var numbers: [Contents: UInt32] = [:]

    /// The total number of nodes.
    var count: Int { traceAt.count }

    /// Creates a root node.
    mutating func root() -> UInt32 {
        traceAt.append(0)
        return UInt32(traceAt.count - 1)
    }

    /// The child node for a step.
    mutating func follow(_ step: DecisionStep, from node: UInt32) -> UInt32 {
        let key = UInt64(node) << 32 | UInt64(step.rawValue)
        if let next = nodes.value(key) { return next }
        let next = root()
        nodes.insert(key, next)
        return next
    }

    /// The number of a node's trace; 0 if it has none yet.
    func trace(at node: UInt32) -> UInt32 { traceAt[Int(node)] }

    /// Sets the trace of a node, and reuses an existing trace with the same contents.
    mutating func setTrace(
        at node: UInt32,
        action: FlowAction,
        enforced: [String],
        pending: [String],
        dependsOnDomains: Bool
    ) -> UInt32 {
        let contents = Contents(
            action: action,
            enforced: enforced,
            pending: pending,
            dependsOnDomains: dependsOnDomains
        )
        let number = numbers[contents] ?? UInt32(traces.count)
        if Int(number) == traces.count {
            traces.append(
                PolicyTrace(
                    action: action,
                    enforced: enforced,
                    pending: pending,
                    dependsOnDomains: dependsOnDomains
                )
            )
            numbers[contents] = number
        }
        traceAt[Int(node)] = number
        return number
    }

    /// Removes the trees; also removes the traces if there are more than the limit.
    mutating func removeTrees(keepingTraces limit: Int) {
        nodes = IntegerMap()
        traceAt = [0]
        guard traces.count > limit else { return }
        traces = [nil]
        numbers = [:]
    }
}

/// Creates the hits of a decision path.
enum HitText {
    /// The hits of the enforced policies.
    static func enforced(_ steps: [DecisionStep], _ table: SubjectTable, from first: Int = 0) -> [String] {
        steps.enumerated().map { text(first + $0, $1, table, isPending: false) }
    }

    /// The hits of all policies.
    static func pending(_ steps: [DecisionStep], _ table: SubjectTable) -> [String] {
        steps.enumerated().map { text($0, $1, table, isPending: true) }
    }

    /// The final action of a path.
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
            // An enforced hit names the last policy of the tier, a pending hit the first one, which did not match.
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
    /// The policy, number and action of the rule that a step represents.
    func rule(_ step: DecisionStep) -> (policy: Int, number: Int, action: PolicyHit.Action) {
        var low = 0
        var high = firstRules.count
        // Finds the last policy whose first rule is not after the step; a policy without rules has the number of the next
        // one.
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
