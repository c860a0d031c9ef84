import Audit
import ClusterModel
import Records
import Store

/// The policies, tiers and network sets of earlier times, from their changes in audit logs.
///
/// An object without changes is taken from the inventory. If the state of an object before its first change is unknown, the
/// present one is used, and the object is reported.
struct PolicyHistory {
    /// The state of an object after a change.
    private enum State {
        case present(ClusterObject)
        case absent
        case unknown
    }

    private struct Step {
        let time: Int64
        let state: State
        /// The pods that it may affect.
        let scope: Scope
        /// Whether the change created the object.
        let isCreation: Bool
    }

    /// The pods that changes may affect.
    enum Scope: Equatable {
        /// The pods of these namespaces.
        case namespaces(Set<String>)
        /// All pods.
        case all

        func union(_ other: Scope) -> Scope {
            guard case .namespaces(let some) = self, case .namespaces(let others) = other else { return .all }
            return .namespaces(some.union(others))
        }
    }

    /// The steps of each object, oldest first.
    private var steps: [ObjectReference: [Step]] = [:]

    /// Takes changes of any objects.
    init(_ changes: [ChangeRecord]) {
        for change in changes.sorted(by: { $0.time < $1.time }) { add(change) }
    }

    /// Reads audit logs, including the files to which they were rotated.
    ///
    /// - Throws: `CommandFailure` if a file cannot be read.
    static func changes(in logs: [String]) throws -> [ChangeRecord] {
        var selection = AuditSelection()
        selection.writesOnly = true
        var input = AuditInput(logs: logs, where: selection)
        var (join, reader) = (AuditJoin(), ChangeReader())
        var changes: [ChangeRecord] = []
        try input.read { event, bytes, _ in
            guard event.target?.isOfPolicies == true, join.take(event),
                let change = reader.change(event, in: bytes.span)
            else { return }
            changes.append(ChangeRecord(change))
        }
        if let warning = input.warning { complain(warning) }
        return changes
    }

    private mutating func add(_ change: ChangeRecord) {
        guard change.outcome == AuditOutcome.done.rawValue, change.subresource == nil,
            let kind = Self.kind(change.resource, change.group)
        else { return }
        let deleted = Set(change.deleted)
        for name in change.names ?? [change.name].compactMap(\.self) {
            let reference = ObjectReference(kind: kind, namespace: change.namespace, name: name)
            let object = change.state.flatMap { Self.object($0, kind) }
            let isDeleted = deleted.contains(name)
            // An object that stays until its finalizers are removed is unchanged.
            guard isDeleted || object != nil || change.remaining?.contains(name) != true else { continue }
            let state: State = isDeleted ? .absent : object.map { State.present($0) } ?? .unknown
            let step = Step(
                time: ChangeRecord.microseconds(change.time),
                state: state,
                scope: Self.scope(kind, change.namespace),
                isCreation: change.isCreation
            )
            steps[object?.reference ?? reference, default: []].append(step)
        }
    }

    private static func object(_ json: String, _ kind: ObjectKind) -> ClusterObject? {
        let bytes = Array(json.utf8)
        return try? ObjectDecoder.object(from: bytes.span, as: kind)
    }

    private static func kind(_ resource: String?, _ group: String?) -> ObjectKind? {
        switch resource {
        case "networkpolicies": AuditResource.calicoGroups.contains(group ?? "") ? .calicoNetworkPolicy : .networkPolicy
        case "globalnetworkpolicies": .globalNetworkPolicy
        case "stagednetworkpolicies": .stagedNetworkPolicy
        case "stagedglobalnetworkpolicies": .stagedGlobalNetworkPolicy
        case "stagedkubernetesnetworkpolicies": .stagedKubernetesNetworkPolicy
        case "adminnetworkpolicies": .adminNetworkPolicy
        case "baselineadminnetworkpolicies": .baselineAdminNetworkPolicy
        case "clusternetworkpolicies": .clusterNetworkPolicy
        case "tiers": .tier
        case "networksets": .networkSet
        case "globalnetworksets": .globalNetworkSet
        default: nil
        }
    }

    /// Returns the pods that a change of an object may affect.
    private static func scope(_ kind: ObjectKind, _ namespace: String?) -> Scope {
        switch kind {
        // These apply to pods of their namespace.
        case .networkPolicy, .calicoNetworkPolicy: .namespaces([namespace ?? ""])
        // Staged policies have no effect on verdicts.
        case .stagedNetworkPolicy, .stagedGlobalNetworkPolicy, .stagedKubernetesNetworkPolicy: .namespaces([])
        default: .all
        }
    }

    // MARK: - State at a time

    /// Whether there are no changes.
    var isEmpty: Bool { steps.isEmpty }

    /// The time of the first change, Unix µs; nil if there is none.
    var first: Int64? { steps.values.compactMap(\.first?.time).min() }

    /// The times of changes, Unix µs, ascending, and the pods that they may affect.
    ///
    /// - Parameter range: the range, without its beginning.
    /// - Returns: each time once.
    func times(in range: Range<Int64>) -> [(time: Int64, scope: Scope)] {
        var scopes: [Int64: Scope] = [:]
        for step in steps.values.joined() where step.time > range.lowerBound && step.time < range.upperBound {
            scopes[step.time] = scopes[step.time]?.union(step.scope) ?? step.scope
        }
        return scopes.map { (time: $0.key, scope: $0.value) }.sorted { $0.time < $1.time }
    }

    /// Returns a copy of sources with the objects of a time.
    ///
    /// - Parameters:
    ///   - sources: the present objects.
    ///   - time: the time, Unix µs, including changes at this time.
    /// - Returns: the copy, and the objects whose state at that time is unknown.
    /// - Throws: `CommandFailure` if an object cannot be applied.
    func sources(_ sources: PolicySources, at time: Int64) throws -> (sources: PolicySources, unknown: [String]) {
        let copy = sources.forked()
        let directory = copy.tracer.directory
        var unknown: [String] = []
        var applied: [ClusterObject] = []
        for (reference, steps) in steps {
            switch Self.state(steps, at: time) {
            case .present(let object): applied.append(object)
            case .absent:
                guard let source = directory.source(of: reference) else { continue }
                copy.observe([.delete(reference, uid: nil)], from: source)
            case .unknown: unknown.append("\(reference)")
            }
        }
        try PolicyChange(applied: applied).apply(to: copy)
        return (copy, unknown.sorted())
    }

    private static func state(_ steps: [Step], at time: Int64) -> State {
        if let last = steps.last(where: { $0.time <= time }) { return last.state }
        return steps.first?.isCreation == true ? .absent : .unknown
    }
}
