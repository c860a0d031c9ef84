public import ClusterModel
import FlowModel

/// Stores policies and the objects that they refer to, and creates snapshots that evaluate them.
///
/// The store applies the same changes as the inventory, and ignores objects that policies do not depend on. Callers pass
/// the owners of addresses with each connection. There may be only one writer at a time. A policy is parsed and compiled
/// when it changes; the cost of a snapshot is the sorting of the changed namespaces.
public struct PolicyStore: Sendable {
    private let format: PolicyFormat
    private var objects = PolicyObjects()
    private var policies: [SourceKey: StoredPolicy] = [:]
    /// Findings about other objects: tiers, network sets, host endpoints and FelixConfigurations.
    private var otherFindings: [SourceKey: [PolicyFinding]] = [:]
    private var members: [String: [SourceKey: CompiledPolicy]] = [:]
    private var tables = RuleTables()
    private var memory = EvaluatorMemory()
    /// The size of the tables when they contained no unused entries.
    private var compactCount = 0

    /// The kinds whose objects a source cannot deliver at present.
    private var unknown: Set<SourceKind> = []
    private var dirty = Dirt(scopes: [""], tiers: true, sets: true, services: true)
    private var tiers = TierOrder([])
    private var scopes: [String: PolicyScope] = [:]
    private var addresses = AddressClasses(prefixes: [], sets: [:])
    private var services = ServiceMemberships([])
    private var domainSets: [DomainNetworkSet] = []
    private var hostEndpoints = HostEndpoints([])
    private var failsafePorts = HostFailsafePorts.standard
    private var current: PolicySnapshot?

    /// Creates a store without policies, in which profiles decide everything.
    ///
    /// - Parameter format: the format of hits, which also determines the order of otherwise equal policies.
    public init(format: PolicyFormat) {
        self.format = format
    }

    /// A copy whose later changes are independent of this store.
    ///
    /// The copy starts with empty caches, because both stores would use the same numbers for different entries.
    ///
    /// - Returns: the copy.
    package func forked() -> PolicyStore {
        var copy = self
        copy.memory = EvaluatorMemory()
        copy.current = nil
        return copy
    }

    /// Applies changes in order.
    public mutating func apply(_ changes: [ClusterChange], from source: SourceID) {
        for change in changes {
            switch change {
            case .upsert(let object): upsert(object, source)
            case .delete(let reference, let uid): remove(SourceKey(source: source, reference: reference), uid: uid)
            case .beginReplace(let kind):
                objects.beginReplace(kind, source)
                // The source delivers all objects of the kind again.
                otherFindings = otherFindings.filter { $0.key.source != source || $0.key.reference.kind != kind }
            case .endReplace(let kind):
                endReplace(kind, source)
                setUnknown(kind, source, false)
            case .forget(let kind):
                objects.beginReplace(kind, source)
                endReplace(kind, source)
                setUnknown(kind, source, true)
            }
        }
    }

    private mutating func endReplace(_ kind: ObjectKind, _ source: SourceID) {
        for reference in objects.endReplace(kind, source) {
            remove(SourceKey(source: source, reference: reference), uid: nil)
        }
    }

    private mutating func setUnknown(_ kind: ObjectKind, _ source: SourceID, _ isUnknown: Bool) {
        guard kind.decidesPolicies else { return }
        let key = SourceKind(source: source, kind: kind)
        guard isUnknown != unknown.contains(key) else { return }
        if isUnknown { unknown.insert(key) } else { unknown.remove(key) }
        current = nil
    }

    /// The findings about policies and other objects, sorted by object.
    public var findings: [PolicyFinding] {
        var findings = otherFindings.values.flatMap(\.self)
        let known = dirty.tiers ? TierOrder(objects.tiers) : tiers
        for policy in policies.values {
            findings += policy.findings
            guard let compiled = policy.compiled, known.place(of: compiled.tier) == nil else { continue }
            findings.append(
                PolicyFinding(
                    object: compiled.reference,
                    path: "spec.tier",
                    severity: .unusable,
                    message: "there is no tier '\(compiled.tier)'; the policy is not in force"
                )
            )
        }
        // The findings of one object stay in their order.
        let names = findings.map(\.object.description)
        return findings.indices.sorted { (names[$0], $0) < (names[$1], $1) }.map { findings[$0] }
    }

    // MARK: - Changes

    private mutating func upsert(_ object: ClusterObject, _ source: SourceID) {
        keepFindings(object, source)
        guard let part = PolicyObjects.Part(object) else {
            // Endpoints can lose the label that names their service.
            guard case .serviceEndpoints(let endpoints) = object else { return }
            let metadata = endpoints.metadata
            let reference = ObjectReference(kind: endpoints.kind, namespace: metadata.namespace, name: metadata.name)
            return remove(SourceKey(source: source, reference: reference), uid: nil)
        }
        let key = SourceKey(source: source, reference: part.reference)
        let change = objects.upsert(part, key)
        guard change != .none else { return }
        note(change)
        guard case .policy(let policy) = part.contents else { return }
        compile(policy, key)
    }

    private mutating func keepFindings(_ object: ClusterObject, _ source: SourceID) {
        switch object {
        case .tier, .networkSet, .hostEndpoint, .felixConfiguration:
            let findings = UnknownFieldFindings.findings(object)
            guard !findings.isEmpty || !otherFindings.isEmpty else { return }
            otherFindings[SourceKey(source: source, reference: object.reference)] = findings.isEmpty ? nil : findings
        default: break
        }
    }

    private mutating func remove(_ key: SourceKey, uid: String?) {
        otherFindings[key] = nil
        let change = objects.remove(key, uid: uid)
        guard change != .none else { return }
        note(change)
        if case .policy = change { discard(key) }
    }

    private mutating func note(_ change: PolicyObjects.Change) {
        switch change {
        case .none, .policy, .labels: break
        case .tier: dirty.tiers = true
        case .networkSet, .felixConfiguration: dirty.sets = true
        case .hostEndpoint: dirty.hostEndpoints = true
        case .services(let names):
            // Service endpoints change frequently, but few services are used in rules.
            guard names.contains(where: tables.hasService) else { return }
            dirty.services = true
        }
        current = nil
    }

    private mutating func compile(_ policy: ClusterObject, _ key: SourceKey) {
        discard(key)
        let (draft, findings) = PolicyDraft.make(policy)
        let compiled = draft.map { add($0, policy, key) }
        policies[key] = StoredPolicy(
            compiled: compiled,
            findings: UnknownFieldFindings.findings(policy) + findings
        )
    }

    private mutating func add(_ draft: PolicyDraft, _ policy: ClusterObject, _ key: SourceKey) -> CompiledPolicy {
        let before = (tables.prefixes.count, tables.services.count)
        let compiled = CompiledPolicy(draft, of: policy, &tables, format: format)
        members[compiled.scope, default: [:]][key] = compiled
        dirty.scopes.insert(compiled.scope)
        if tables.prefixes.count != before.0 { dirty.sets = true }
        if tables.services.count != before.1 { dirty.services = true }
        return compiled
    }

    private mutating func discard(_ key: SourceKey) {
        guard let compiled = policies.removeValue(forKey: key)?.compiled else { return }
        members[compiled.scope]?[key] = nil
        dirty.scopes.insert(compiled.scope)
    }

    // MARK: - Snapshots

    /// The snapshot of the current policies; the same object as long as nothing relevant has changed.
    public mutating func snapshot() -> PolicySnapshot {
        if let current { return current }
        compact()
        if dirty.tiers {
            tiers = TierOrder(objects.tiers)
            dirty.scopes.formUnion(members.keys)
            dirty.scopes.insert("")
        }
        for scope in dirty.scopes {
            let policies = members[scope] ?? [:]
            if policies.isEmpty, !scope.isEmpty {
                scopes[scope] = nil
                members[scope] = nil
            } else {
                scopes[scope] = PolicyScope(policies.values, tiers)
            }
        }
        if dirty.sets { updateSets() }
        if dirty.hostEndpoints { hostEndpoints = HostEndpoints(objects.hostEndpoints) }
        if dirty.services { services = objects.memberships(tables.services) }
        dirty = Dirt()
        let snapshot = PolicySnapshot(world(), memory)
        current = snapshot
        return snapshot
    }

    private func world() -> PolicyWorld {
        PolicyWorld(
            generation: VersionNumber.next(),
            format: format,
            tables: tables,
            tiers: tiers,
            global: scopes[""] ?? PolicyScope([], tiers),
            namespaced: scopes,
            namespaces: objects.namespaces,
            serviceAccounts: objects.serviceAccounts,
            addresses: addresses,
            services: services,
            domainSets: domainSets,
            usesDomains: !domainSets.isEmpty || scopes.values.contains(where: \.usesDomains),
            hostEndpoints: hostEndpoints,
            failsafePorts: failsafePorts,
            isComplete: unknown.isEmpty
        )
    }

    private mutating func updateSets() {
        var sets: [UInt32: [EndpointIdentity]] = [:]
        domainSets = []
        for set in objects.networkSets {
            let domains = set.domains.compactMap { DomainPattern($0) }
            if !domains.isEmpty {
                domainSets.append(DomainNetworkSet(identity: set.identity, domains: tables.number(of: domains)))
            }
            for prefix in Set(set.nets) { sets[tables.number(of: prefix), default: []].append(set.identity) }
        }
        failsafePorts = HostFailsafePorts(objects.felixConfigurations, &tables)
        addresses = AddressClasses(prefixes: tables.prefixes, sets: sets)
    }

    /// Rebuilds the tables if most of their entries are no longer used.
    private mutating func compact() {
        guard tables.count > compactCount * 2 + 20_000 else { return }
        tables = RuleTables()
        memory = EvaluatorMemory()
        dirty.scopes.formUnion(members.keys)
        for (key, policy) in policies {
            guard let object = policy.compiled?.object, let draft = PolicyDraft.make(object).0 else { continue }
            let compiled = add(draft, object, key)
            policies[key]?.compiled = compiled
        }
        updateSets()
        dirty.services = true
        compactCount = tables.count
    }
}

/// A source and a kind of its objects.
private struct SourceKind: Hashable, Sendable {
    var source: SourceID
    var kind: ObjectKind
}

/// The parts that changed since the last snapshot.
private struct Dirt: Sendable {
    /// Namespaces with changed policies; the empty string represents global policies.
    var scopes: Set<String> = []
    /// Whether tiers changed.
    var tiers = false
    /// Whether network sets, address ranges of rules, or failsafe ports changed.
    var sets = false
    /// Whether endpoints of services, or the services in rules, changed.
    var services = false
    /// Whether host endpoints changed.
    var hostEndpoints = false
}

/// A policy in the store.
private struct StoredPolicy: Sendable {
    /// The compiled policy; nil if it is not evaluated.
    var compiled: CompiledPolicy?
    /// The findings about the policy.
    var findings: [PolicyFinding]
}

extension PolicyDraft {
    /// Returns the draft of a policy of any kind, and the findings.
    static func make(_ object: ClusterObject) -> (PolicyDraft?, [PolicyFinding]) {
        switch object {
        case .calicoPolicy(let policy): CalicoDrafting.draft(policy)
        case .networkPolicy(let policy): KubernetesDrafting.draft(policy)
        case .stagedKubernetesPolicy(let policy): KubernetesDrafting.draft(policy)
        case .adminPolicy(let policy): AdminDrafting.draft(policy)
        default: (nil, [])
        }
    }
}

extension CompiledPolicy {
    /// The namespace; empty for a global policy.
    fileprivate var scope: String { kind.isNamespaced ? reference.namespace ?? "default" : "" }
}
