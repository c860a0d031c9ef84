import ClusterModel
import FlowModel
import Synchronization

/// A criterion in 8 bytes: what it is, and the number of what it refers to in ``RuleTables``.
struct PackedCriterion: Sendable, Hashable {
    /// What is asked.
    enum Kind: UInt8, Sendable {
        case never, ipVersion, proto, icmp, ports, nets, selector, service
    }

    /// What is asked.
    var kind: Kind
    /// Of which end.
    var side: FlowSide = .destination
    /// Whether the opposite is asked.
    var isNegated = false
    /// A number: of a table's entry; the IP version; the protocol; or of ICMP the type in bits 0 to 7 and the code in 8 to
    /// 15, which count if bit 16 and bit 17 are set.
    var value: UInt32 = 0
}

/// A rule with numbers for what it refers to.
struct CompiledRule: Sendable {
    /// What it does.
    var action: CalicoRule.Action
    /// What must all hold, the cheapest first.
    var criteria: [PackedCriterion]
}

/// A policy, ready to be evaluated.
///
/// Immutable; another version of it is another object.
final class CompiledPolicy: Sendable {
    /// A number no other compiled policy of this process has or had.
    let number: UInt32
    /// What it was made of; what its rules ask for in words is read from there again when somebody wants to know.
    let object: ClusterObject
    /// Its name.
    let reference: ObjectReference
    /// What it is.
    let kind: PolicyHit.Kind
    /// The tier that it is in.
    let tier: String
    /// Its place in the tier; infinite for the last.
    let order: Double
    /// The number of the selector of those that it applies to.
    let selector: UInt32
    /// Rules for what comes in; nil if it does not govern that.
    let ingress: [CompiledRule]?
    /// Rules for what goes out; nil if it does not govern that.
    let egress: [CompiledRule]?
    /// `tier|name-part|`, which stands between index and action of its hits.
    let hitText: String
    /// What orders it among policies of the same tier and order.
    let tieBreaker: String

    /// Whether it is not in force.
    var isStaged: Bool { kind.isStaged }

    init(_ draft: PolicyDraft, of object: ClusterObject, _ tables: inout RuleTables, format: PolicyFormat) {
        number = Self.last.add(1, ordering: .relaxed).newValue
        self.object = object
        reference = draft.reference
        kind = draft.kind
        tier = draft.tier
        order = draft.order
        selector = tables.number(of: draft.selector)
        ingress = draft.ingress.map { Self.compiled($0, &tables) }
        egress = draft.egress.map { Self.compiled($0, &tables) }
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

    /// Rules for a direction; nil if it does not govern that.
    func rules(_ direction: FlowDirection) -> [CompiledRule]? {
        direction == .ingress ? ingress : egress
    }

    private static let last = Atomic<UInt32>(0)

    // MARK: - Rules

    private static func compiled(_ rules: [RuleDraft], _ tables: inout RuleTables) -> [CompiledRule] {
        rules.map { rule in
            var criteria = rule.criteria.map { packed($0, &tables) }
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
        case .never: PackedCriterion(kind: .never)
        }
    }
}

/// A direction of connections, as the endpoint sees it.
enum FlowDirection: Int, Sendable, Hashable {
    /// To the endpoint.
    case ingress
    /// From the endpoint.
    case egress
}
