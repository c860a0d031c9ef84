import ClusterModel
import Policy
import Testing

/// An object, and the violation that an API server or Calico finds in it.
struct ValidationCase: Sendable, CustomTestStringConvertible {
    /// The `apiVersion` and the `kind`.
    var kind: Kind
    /// The JSON text of `spec`.
    var spec: String
    /// The path of the violation; nil if the object is accepted.
    var path: String?
    /// A part of the violation's reason.
    var reason: String
    /// Whether only some servers refuse it.
    var isDoubtful = false
    /// The members of `metadata`.
    var metadata: String

    enum Kind: String, Sendable {
        case networkPolicy = "networking.k8s.io/v1 NetworkPolicy"
        case admin = "policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy"
        case baseline = "policy.networking.k8s.io/v1alpha1 BaselineAdminNetworkPolicy"
        case cluster = "policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy"
        case calico = "projectcalico.org/v3 NetworkPolicy"
        case global = "projectcalico.org/v3 GlobalNetworkPolicy"
        case staged = "projectcalico.org/v3 StagedNetworkPolicy"
        case stagedGlobal = "projectcalico.org/v3 StagedGlobalNetworkPolicy"
        case stagedKubernetes = "projectcalico.org/v3 StagedKubernetesNetworkPolicy"
        case tier = "projectcalico.org/v3 Tier"
        case networkSet = "projectcalico.org/v3 NetworkSet"
        case globalNetworkSet = "projectcalico.org/v3 GlobalNetworkSet"
        case hostEndpoint = "projectcalico.org/v3 HostEndpoint"
        case storedPolicy = "crd.projectcalico.org/v1 GlobalNetworkPolicy"
        case oldCalico = "projectcalico.org/v1 NetworkPolicy"
        case oldNetworkPolicy = "extensions/v1beta1 NetworkPolicy"
        case newNetworkPolicy = "networking.k8s.io/v2 NetworkPolicy"
    }

    init(_ kind: Kind, _ spec: String, _ path: String?, _ reason: String = "", metadata: String = #""name":"p""#) {
        self.kind = kind
        self.spec = spec
        self.path = path
        self.reason = reason
        self.metadata = kind == .baseline && metadata == #""name":"p""# ? #""name":"default""# : metadata
    }

    /// The same, which only some servers refuse.
    var doubtful: ValidationCase {
        var copy = self
        copy.isDoubtful = true
        return copy
    }

    /// A NetworkPolicy with one rule for ingress.
    static func ingress(_ rule: String, _ path: String?, _ reason: String = "") -> ValidationCase {
        let path = path.map { $0.isEmpty ? "spec.ingress[0]" : "spec.ingress[0].\($0)" }
        return ValidationCase(.networkPolicy, #"{"podSelector":{},"ingress":[\#(rule)]}"#, path, reason)
    }

    /// A Calico NetworkPolicy with one rule for ingress.
    static func rule(_ rule: String, _ path: String?, _ reason: String = "") -> ValidationCase {
        let path = path.map { $0.isEmpty ? "spec.ingress[0]" : "spec.ingress[0].\($0)" }
        return ValidationCase(.calico, #"{"ingress":[\#(rule)]}"#, path, reason)
    }

    var testDescription: String { "\(kind) \(metadata) \(spec)" }

    /// The violations of the object.
    var violations: [ObjectViolation] {
        get throws {
            let words = kind.rawValue.split(separator: " ")
            let json = #"{"apiVersion":"\#(words[0])","kind":"\#(words[1])","metadata":{\#(metadata)},"spec":\#(spec)}"#
            var findings: [ObjectIssue] = []
            var trees: [ObjectTree] = []
            _ = try ObjectDecoder.objects(
                in: Array(json.utf8).span,
                keeping: ObjectValidation.kinds,
                findings: &findings,
                trees: &trees
            )
            #expect(trees.count == 1)
            return trees.flatMap { ObjectValidation.violations($0) }
        }
    }

    /// The outcome of a check: the number of violations that are expected here, and the severities of all.
    struct Outcome: Equatable {
        var matches: Int
        var severities: Set<ObjectViolation.Severity>
    }

    /// The outcome of a case with a path is one violation there, for the reason, and nothing of another severity.
    var expected: Outcome {
        guard path != nil else { return Outcome(matches: 0, severities: []) }
        return Outcome(matches: 1, severities: [isDoubtful ? .doubtful : .refused])
    }

    /// The outcome of the validation.
    var outcome: Outcome {
        get throws {
            let found = try violations
            let matches = found.count { PathComponent.text($0.path) == path && $0.reason.contains(reason) }
            return Outcome(matches: matches, severities: Set(found.map(\.severity)))
        }
    }

    /// All violations, for the message of a failed expectation.
    var comment: Comment {
        let found = (try? violations) ?? []
        return "\(found.map { "\(PathComponent.text($0.path)): \($0.reason)" })"
    }
}
