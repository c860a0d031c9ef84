public import ClusterModel

/// A policy of any kind in one form: what Calico makes of it, with selectors read and scoped.
struct PolicyDraft: Sendable {
    /// The object.
    var reference: ObjectReference
    /// What it is.
    var kind: PolicyHit.Kind
    /// The name in hits.
    var name: String
    /// The tier that it is in.
    var tier: String
    /// Its place in the tier; infinite for the last.
    var order: Double
    /// Whom it applies to, with the namespace where it is in one.
    var selector: Selector
    /// Rules for what comes in; nil if it does not govern that.
    var ingress: [RuleDraft]?
    /// Rules for what goes out; nil if it does not govern that.
    var egress: [RuleDraft]?
}

/// A rule of a ``PolicyDraft``.
struct RuleDraft: Sendable {
    /// What it does with what it matches.
    var action: CalicoRule.Action
    /// What must all hold.
    var criteria: [Criterion]
    /// Where it is written, as in `spec.ingress[0]`; several drafts may come of one rule.
    var path: String
}

/// What is wrong with a policy or what belongs to policies, or a rule that can never match.
public struct PolicyFinding: Sendable, Hashable, CustomStringConvertible {
    /// What it means for the policy.
    public enum Severity: String, Sendable, Hashable {
        /// The policy, rule or field cannot be used.
        case unusable
        /// The rule can never match, or says less than it seems to.
        case ineffective
    }

    /// The object.
    public var object: ObjectReference
    /// The field, as in `spec.ingress[0].source.selector`.
    public var path: String
    /// How far into the field's text it can be read, in bytes; nil where that says nothing.
    public var position: Int?
    /// What it means for the policy.
    public var severity: Severity
    /// What is wrong.
    public var message: String

    /// Takes all members.
    public init(object: ObjectReference, path: String, position: Int? = nil, severity: Severity, message: String) {
        self.object = object
        self.path = path
        self.position = position
        self.severity = severity
        self.message = message
    }

    /// As in `GlobalNetworkPolicy deny-all: spec.selector: position 3: expected a string in quotes`.
    public var description: String {
        "\(object): \(path): \(position.map { "position \($0): " } ?? "")\(message)"
    }
}

/// Collects what is wrong with one policy, as much of it as anybody reads.
struct FindingCollector {
    /// How many findings of a policy are kept.
    static let limit = 100

    /// The policy.
    let object: ObjectReference
    /// What was found.
    private(set) var findings: [PolicyFinding] = []
    private var omitted = 0

    init(object: ObjectReference) {
        self.object = object
    }

    /// Adds one.
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
        // Rules that come of one rule often have the same fault.
        if findings.last != finding { findings.append(finding) }
    }

    /// All, with the number of those that are not kept.
    var all: [PolicyFinding] {
        guard omitted > 0 else { return findings }
        let message = "\(omitted) more findings"
        return findings + [PolicyFinding(object: object, path: "spec", severity: .ineffective, message: message)]
    }
}
