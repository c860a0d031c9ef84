public import ClusterModel

/// A point in the path of a packet where policies are evaluated, as in Felix.
enum PolicyHook: UInt8, Sendable, Hashable {
    /// At an end of a connection: a workload, or a host's own traffic.
    case end
    /// Before connection tracking (`doNotTrack`), at a host endpoint.
    case untracked
    /// Before destination NAT (`preDNAT`), at the host endpoint through which packets enter.
    case preDNAT
    /// Traffic that a host endpoint forwards (`applyOnForward`).
    case forward

    /// Whether the default action of a tier applies if none of its policies decides.
    ///
    /// Felix drops packets at the end of a tier only in its normal and forward chains.
    var hasDefaultAction: Bool { self == .end || self == .forward }

    /// Whether failsafe ports are allowed before policies are evaluated.
    var hasFailsafePorts: Bool { self != .forward }
}

/// A policy of any kind in Calico's form, with parsed and scoped selectors.
struct PolicyDraft: Sendable {
    /// A reference to the policy object.
    var reference: ObjectReference
    /// The kind of the policy.
    var kind: PolicyHit.Kind
    /// The name in hits.
    var name: String
    /// The tier of the policy.
    var tier: String
    /// The order in the tier; infinite for the last.
    var order: Double
    /// The selector of the endpoints that the policy applies to, restricted to its namespace if it has one.
    var selector: Selector
    /// The hooks where the policy is evaluated.
    var hooks: Set<PolicyHook> = [.end]
    /// Ingress rules; nil if the policy does not apply to ingress.
    var ingress: [RuleDraft]?
    /// Egress rules; nil if the policy does not apply to egress.
    var egress: [RuleDraft]?
}

/// A rule of a ``PolicyDraft``.
struct RuleDraft: Sendable {
    /// The action for matching connections.
    var action: CalicoRule.Action
    /// The criteria that must all match.
    var criteria: [Criterion]
    /// The path of the rule, such as `spec.ingress[0]`; one rule can produce several drafts.
    var path: String

    /// Whether a criterion of the rule is a selector that also matches network sets by their domain names.
    ///
    /// Calico supports `allowedEgressDomains` only for the destination of egress rules that allow.
    func matchesDomains(of criterion: Criterion, _ direction: FlowDirection) -> Bool {
        guard action == .allow, direction == .egress, case .selector(.destination, _, isNegated: false) = criterion
        else {
            return false
        }
        return true
    }
}

/// An error in a policy or a related object, or a rule that can never match.
public struct PolicyFinding: Sendable, Hashable, CustomStringConvertible {
    /// The effect on the policy.
    public enum Severity: String, Sendable, Hashable {
        /// The policy, rule or field is unusable.
        case unusable
        /// The rule can never match, or is narrower than it appears.
        case ineffective
    }

    /// A reference to the object.
    public var object: ObjectReference
    /// The field, such as `spec.ingress[0].source.selector`.
    public var path: String
    /// The offset of the error in the field's text, in bytes; nil if it does not apply.
    public var position: Int?
    /// The effect on the policy.
    public var severity: Severity
    /// The error message.
    public var message: String

    /// Takes all members.
    public init(object: ObjectReference, path: String, position: Int? = nil, severity: Severity, message: String) {
        self.object = object
        self.path = path
        self.position = position
        self.severity = severity
        self.message = message
    }

    /// A text such as `GlobalNetworkPolicy deny-all: spec.selector: position 3: expected a string in quotes`.
    public var description: String {
        "\(object): \(path): \(position.map { "position \($0): " } ?? "")\(message)"
    }
}

/// Collects the findings of one policy, up to a limit.
struct FindingCollector {
    /// The maximum number of findings kept for a policy.
    static let limit = 100

    /// A reference to the policy.
    let object: ObjectReference
    /// The findings.
    private(set) var findings: [PolicyFinding] = []
    private var omitted = 0

    init(object: ObjectReference) {
        self.object = object
    }

    /// Adds a finding.
    mutating func add(_ path: String, _ severity: PolicyFinding.Severity, _ message: String, position: Int? = nil) {
        guard findings.count < Self.limit else {
            omitted += 1
            return
        }
        let finding = PolicyFinding(
            object: object,
            path: path,
            position: position,
            severity: severity,
            message: message
        )
        // Rules expanded from one rule often have the same error.
        if findings.last != finding { findings.append(finding) }
    }

    /// All findings, followed by the number of findings that were dropped.
    var all: [PolicyFinding] {
        guard omitted > 0 else { return findings }
        let message = "\(omitted) more findings"
        return findings + [PolicyFinding(object: object, path: "spec", severity: .ineffective, message: message)]
    }
}
