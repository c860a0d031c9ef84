import Audit
import ClusterModel
import FlowModel
import Policy

/// The key of a request: no two requests have the same.
package struct ChangeKey: Sendable, Hashable {
    /// Its audit ID.
    package var auditID: String
    /// The time when it was received, Unix time in µs; 0 if the log does not have it.
    package var receivedAt: Int64

    /// Takes both members.
    package init(auditID: String, receivedAt: Int64) {
        (self.auditID, self.receivedAt) = (auditID, receivedAt)
    }
}

/// A successful change of the cluster, with the properties that are relevant for verdicts.
struct ChangeMark: Sendable {
    /// The request.
    let key: ChangeKey
    /// The time of the change, Unix time in µs.
    let time: Int64
    /// The user.
    let user: String
    /// The kind and the name.
    let object: String
    /// Whether the change was found only in an object, and no audit log contains the request.
    let isSeen: Bool
    /// The verb of the request: `create`, `update` and so on.
    let verb: String
    private let role: AuditResource.Role
    private let resource: String
    private let kind: PolicyHit.Kind?
    private let namespace: String
    private let names: [String]

    /// The maximum number of objects of one request that are compared.
    private static let mostNames = 256

    /// Takes a change; nil if it changed nothing, or if its outcome is unknown.
    init?(_ change: AuditChange) {
        guard change.outcome == .done, change.concernsPolicies, let target = change.event.target else { return nil }
        isSeen = false
        verb = change.event.verb
        key = ChangeKey(auditID: change.event.auditID, receivedAt: change.event.receivedAt)
        time = change.event.time
        user = change.who
        object = change.object
        role = change.role
        resource = target.resource
        kind = Self.kind(of: target)
        namespace = change.namespace
        // An object that remains until its finalizers are removed still affects verdicts.
        var changed = change.names.isEmpty ? [change.name] : change.names
        if !change.remaining.isEmpty { changed.removeAll { change.remaining.contains($0) } }
        guard !changed.isEmpty else { return nil }
        names = changed.count > Self.mostNames ? Array(changed.prefix(Self.mostNames)) : changed
    }

    /// Takes a change that was found in an object, without the request.
    ///
    /// - Parameters:
    ///   - object: the object.
    ///   - id: the text to use as the audit ID.
    ///   - verb: `create`, `update` or `delete`.
    ///   - writer: the text to use as the user.
    ///   - time: Unix time in µs.
    init?(seen object: ObjectReference, id: String, verb: String, writer: String, time: Int64) {
        guard let (resource, hit) = Self.resource(of: object.kind) else { return nil }
        isSeen = true
        self.verb = verb
        key = ChangeKey(auditID: id, receivedAt: 0)
        self.time = time
        user = writer
        self.object = "\(object.kind.rawValue) \(object.namespace.map { "\($0)/" } ?? "")\(object.name)"
        self.resource = resource
        kind = hit
        var target = AuditTarget()
        target.resource = resource
        role = AuditResource.role(of: target)
        namespace = object.namespace ?? ""
        names = [object.name]
    }

    private static func resource(of kind: ObjectKind) -> (String, PolicyHit.Kind?)? {
        switch kind {
        case .namespace: ("namespaces", nil)
        case .networkPolicy: ("networkpolicies", .kubernetesNetworkPolicy)
        case .calicoNetworkPolicy: ("networkpolicies", .networkPolicy)
        case .globalNetworkPolicy: ("globalnetworkpolicies", .globalNetworkPolicy)
        case .adminNetworkPolicy: ("adminnetworkpolicies", .adminNetworkPolicy)
        case .baselineAdminNetworkPolicy: ("baselineadminnetworkpolicies", .baselineAdminNetworkPolicy)
        case .clusterNetworkPolicy: ("clusternetworkpolicies", .clusterNetworkPolicy)
        case .tier: ("tiers", nil)
        case .networkSet: ("networksets", nil)
        case .globalNetworkSet: ("globalnetworksets", nil)
        case .hostEndpoint: ("hostendpoints", nil)
        // A staged policy has no effect on verdicts.
        case .stagedNetworkPolicy, .stagedGlobalNetworkPolicy, .stagedKubernetesNetworkPolicy: nil
        case .pod, .serviceAccount, .node, .service, .endpointSlice, .endpoints, .felixConfiguration: nil
        }
    }

    /// The change of an object whose request is not known.
    var seenChange: AuditChange {
        var event = AuditEvent()
        (event.auditID, event.verb, event.time) = (key.auditID, verb, time)
        event.user = AuditUser(name: user.isEmpty ? "unknown" : user, groups: [])
        var target = AuditTarget()
        (target.resource, target.namespace, target.name) = (resource, namespace, names.first ?? "")
        target.group =
            switch kind {
            case .kubernetesNetworkPolicy: "networking.k8s.io"
            case .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy: "policy.networking.k8s.io"
            default: resource == "namespaces" ? "" : "projectcalico.org"
            }
        event.target = target
        var status = AuditStatus()
        status.code = 200
        event.status = status
        var change = AuditChange(event)
        change.basis = .seen
        return change
    }

    private static func kind(of target: AuditTarget) -> PolicyHit.Kind? {
        let isCalico = AuditResource.calicoGroups.contains(target.group)
        return switch target.resource {
        case "networkpolicies": isCalico ? .networkPolicy : .kubernetesNetworkPolicy
        case "globalnetworkpolicies": .globalNetworkPolicy
        case "adminnetworkpolicies": .adminNetworkPolicy
        case "baselineadminnetworkpolicies": .baselineAdminNetworkPolicy
        case "clusternetworkpolicies": .clusterNetworkPolicy
        // A staged policy has no effect on verdicts.
        default: nil
        }
    }

    /// Whether it is a change of the policy that a hit names.
    func isNamed(by hit: PolicyHit) -> Bool {
        guard hit.kind == kind, (hit.namespace ?? "") == namespace else { return false }
        let short = Self.short(hit.name, hit.tier)
        return names.contains { Self.short($0, hit.tier) == short }
    }

    /// Returns a name without the tier's prefix, which the names of Calico's policies may have.
    private static func short(_ name: String, _ tier: String) -> Substring {
        name.hasPrefix("\(tier).") ? name.dropFirst(tier.count + 1) : name[...]
    }

    /// Whether the change may affect the connections of a shift, judged by names and namespaces.
    func mayConcern(_ shift: VerdictShift) -> Bool {
        let ends = [shift.source, shift.destination]
        switch role {
        case .other: return false
        case .policy:
            // A policy in a namespace affects the pods there; a staged policy affects none.
            return !resource.hasPrefix("staged") && (namespace.isEmpty || namespace == shift.reporting.namespace)
        case .service: return namespace == shift.destination.namespace
        case .selected: break
        }
        switch resource {
        case "namespaces": return ends.contains { end in names.contains { $0 == end.namespace } }
        case "pods":
            return ends.contains { end in
                end.kind == .workload && end.namespace == namespace && names.contains { Self.isPod($0, of: end.name) }
            }
        case "serviceaccounts": return ends.contains { $0.kind == .workload && $0.namespace == namespace }
        case "networksets", "globalnetworksets":
            return ends.contains { $0.kind == .network || $0.kind == .networkSet }
        default: return ends.contains { $0.kind == .host || $0.kind == .network }
        }
    }

    /// Whether a pod has a shared name such as `web-7d4b9-*`.
    private static func isPod(_ pod: String, of shared: String) -> Bool {
        shared.hasSuffix("*") ? pod.hasPrefix(shared.dropLast()) : pod == shared
    }
}

extension ChangeMark {
    /// Returns the change that caused a shift, or most likely caused it.
    ///
    /// A change is the cause if the traces before and after differ in hits of the changed policy, and no other change that may
    /// affect the connections was made in that time. Otherwise the last change that may affect them is the likely cause. This
    /// includes a change of the deciding policy that was made slightly earlier, because policies may be enforced late.
    ///
    /// - Parameters:
    ///   - shift: connections under another verdict or rule.
    ///   - marks: the known changes.
    /// - Returns: nil if no change may be the cause. A change without its request is never more than a likely cause. A change
    ///   with its request takes precedence, unless it was made too early for the shift.
    static func cause(of shift: VerdictShift, among marks: [ChangeMark]) -> (mark: ChangeMark, isLikely: Bool)? {
        let logged = best(of: marks.filter { !$0.isSeen }, for: shift)
        let seen = best(of: marks.filter(\.isSeen), for: shift).map { (mark: $0.mark, isLikely: true) }
        guard let logged else { return seen }
        // The log is behind the objects: it does not contain the request of the seen change yet.
        if let seen, shift.times.contains(seen.mark.time), !shift.times.contains(logged.mark.time) { return seen }
        return logged
    }

    private static func best(of marks: [ChangeMark], for shift: VerdictShift) -> (mark: ChangeMark, isLikely: Bool)? {
        let known = marks.filter { shift.mayFollow($0.time) && $0.mayConcern(shift) }
        guard !known.isEmpty else { return nil }
        let inTime = known.filter { shift.times.contains($0.time) }
        let differing = shift.differingHits
        if let best = last(of: inTime, namedBy: differing) {
            return (best, inTime.contains { $0.object != best.object })
        }
        let named = last(of: known, namedBy: differing.isEmpty ? shift.after.hits : differing)
        return (named ?? inTime.max { $0.time < $1.time }).map { ($0, true) }
    }

    private static func last(of marks: [ChangeMark], namedBy hits: [PolicyHit]) -> ChangeMark? {
        marks.filter { mark in hits.contains { mark.isNamed(by: $0) } }.max { $0.time < $1.time }
    }
}
