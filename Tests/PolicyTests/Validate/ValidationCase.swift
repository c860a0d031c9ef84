import ClusterModel
import Policy
import Testing

/// An object, and what an API server or Calico says of it.
struct ValidationCase: Sendable, CustomTestStringConvertible {
    /// The kind, as `apiVersion` and `kind` have it.
    var kind: Kind
    /// The JSON text of `spec`.
    var spec: String
    /// Where something is wrong; nil if the object is accepted.
    var path: String?
    /// A part of what is wrong.
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

    /// What is wrong with the object.
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

    /// Expects the one finding, or none.
    func check() throws {
        let found = try violations
        guard let path else {
            #expect(found.isEmpty, "\(found.map { "\(PathComponent.text($0.path)): \($0.reason)" })")
            return
        }
        let matches = found.filter { PathComponent.text($0.path) == path && $0.reason.contains(reason) }
        #expect(matches.count == 1, "\(found.map { "\(PathComponent.text($0.path)): \($0.reason)" })")
        #expect(matches.first.map { $0.severity == .doubtful } == isDoubtful)
        let severities = Set(found.map(\.severity))
        #expect(severities.count == 1)
    }
}
