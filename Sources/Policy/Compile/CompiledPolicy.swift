import ClusterModel
import FlowModel
import Synchronization

/// A criterion in 8 bytes: its kind, and the number of its operand in ``RuleTables``.
struct PackedCriterion: Sendable, Hashable {
    /// The kind of criterion.
    enum Kind: UInt8, Sendable {
        case never, ipVersion, proto, icmp, ports, nets, selector, service, domains
    }

    /// The kind of the criterion.
    var kind: Kind
    /// The end of the connection that the criterion applies to.
    var side: FlowSide = .destination
    /// Whether the criterion is negated.
    var isNegated = false
    /// Whether a selector also matches network sets by their domain names.
    var matchesDomains = false
    /// The operand: a table entry's number; the IP version; the protocol; or the ICMP type in bits 0 to 7 and code in
    /// bits 8 to 15, which are compared if bit 16 and bit 17, respectively, are set.
    var value: UInt32 = 0
}

/// A rule whose operands are table numbers.
struct CompiledRule: Sendable {
    /// The action of the rule.
    var action: CalicoRule.Action
    /// The criteria that must all match, the cheapest first.
    var criteria: [PackedCriterion]
}

/// A policy in a form that is fast to evaluate.
///
/// Immutable; a changed policy is a new object.
final class CompiledPolicy: Sendable {
    /// A number that is unique among all compiled policies of this process.
    let number: UInt32
    /// The source object; explanations compile its rules again.
    let object: ClusterObject
    /// A reference to the source object.
    let reference: ObjectReference
    /// The kind of the policy.
    let kind: PolicyHit.Kind
    /// The tier of the policy.
    let tier: String
    /// The order in the tier; infinite for the last.
    let order: Double
    /// The number of the selector of the endpoints that the policy applies to.
    let selector: UInt32
    /// The hooks where the policy is evaluated.
    let hooks: Set<PolicyHook>
    /// Ingress rules; nil if the policy does not apply to ingress.
    let ingress: [CompiledRule]?
    /// Egress rules; nil if the policy does not apply to egress.
    let egress: [CompiledRule]?
    /// `tier|name-part|`, the text between the index and the action of its hits.
    let hitText: String
    /// The sort key among policies of the same tier and order.
    let tieBreaker: String

    /// Whether a rule has domain names.
    let usesDomains: Bool

    /// Whether the policy is staged.
    var isStaged: Bool { kind.isStaged }

    init(_ draft: PolicyDraft, of object: ClusterObject, _ tables: inout RuleTables, format: PolicyFormat) {
        number = Self.last.add(1, ordering: .relaxed).newValue
        self.object = object
        reference = draft.reference
        kind = draft.kind
        tier = draft.tier
        order = draft.order
        selector = tables.number(of: draft.selector)
        hooks = draft.hooks
        ingress = draft.ingress.map { Self.compiled($0, .ingress, &tables) }
        egress = draft.egress.map { Self.compiled($0, .egress, &tables) }
        usesDomains = egress?.contains { $0.criteria.contains { $0.kind == .domains } } ?? false
        let hit = PolicyHit(
            index: 0,
            tier: draft.tier,
            kind: draft.kind,
            namespace: draft.reference.namespace ?? (draft.kind.isNamespaced ? "default" : nil),
            name: draft.name,
            action: .pass,
            ruleIndex: 0
        )
        hitText = "\(draft.tier)|\(hit.namePart(format))|"
        tieBreaker = hit.tieBreaker(format)
    }

    /// The rules for a direction; nil if the policy does not apply to it.
    func rules(_ direction: FlowDirection) -> [CompiledRule]? {
        direction == .ingress ? ingress : egress
    }

    /// Whether the policy has rules for a direction at a hook.
    func governs(_ direction: FlowDirection, _ hook: PolicyHook) -> Bool {
        hooks.contains(hook) && rules(direction) != nil
    }

    private static let last = Atomic<UInt32>(0)

    // MARK: - Rules

    private static func compiled(
        _ rules: [RuleDraft],
        _ direction: FlowDirection,
        _ tables: inout RuleTables
    ) -> [CompiledRule] {
        rules.map { rule in
            var criteria = rule.criteria.map { criterion in
                var packed = packed(criterion, &tables)
                packed.matchesDomains = rule.matchesDomains(of: criterion, direction)
                return packed
            }
            criteria.sort { $0.kind.rawValue < $1.kind.rawValue }
            return CompiledRule(action: rule.action, criteria: criteria)
        }
    }

    /// Packs a criterion.
    static func packed(_ criterion: Criterion, _ tables: inout RuleTables) -> PackedCriterion {
        switch criterion {
        case .ipVersion(let version):
            version == 4 || version == 6
                ? PackedCriterion(kind: .ipVersion, value: UInt32(version)) : PackedCriterion(kind: .never)
        case .proto(let proto, let isNegated):
            proto.rawValue == 0 && !isNegated
                ? PackedCriterion(kind: .never)
                : PackedCriterion(kind: .proto, isNegated: isNegated, value: UInt32(proto.rawValue))
        case .icmp(let match, let isNegated):
            PackedCriterion(
                kind: .icmp,
                isNegated: isNegated,
                value: (match.type.map { UInt32($0) | 1 << 16 } ?? 0)
                    | (match.code.map { UInt32($0) << 8 | 1 << 17 } ?? 0)
            )
        case .ports(let side, let ports, let isNegated):
            PackedCriterion(kind: .ports, side: side, isNegated: isNegated, value: tables.number(of: ports))
        case .nets(let side, let nets, let isNegated):
            PackedCriterion(kind: .nets, side: side, isNegated: isNegated, value: tables.number(ofNets: nets))
        case .selector(let side, let selector, let isNegated):
            PackedCriterion(kind: .selector, side: side, isNegated: isNegated, value: tables.number(of: selector))
        case .service(let side, let service):
            PackedCriterion(kind: .service, side: side, value: tables.number(of: service))
        case .domains(let domains): PackedCriterion(kind: .domains, value: tables.number(of: domains))
        case .never: PackedCriterion(kind: .never)
        }
    }
}

/// The direction of a connection relative to the endpoint.
enum FlowDirection: Int, Sendable, Hashable {
    /// To the endpoint.
    case ingress
    /// From the endpoint.
    case egress
}
