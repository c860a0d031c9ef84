import ClusterModel
import FlowModel

/// Caches of the evaluation, kept between snapshots as long as their entries stay valid.
struct EvaluatorState: Sendable {
    /// The maximum number of identities before the caches are cleared: most identities belong to deleted endpoints.
    private static let maximumIdentities = 1 << 15
    /// The maximum size of tables and rule lists before the caches are cleared, in bytes.
    private static let maximumListSize = 32 << 20
    /// The maximum number of decision steps before the caches are cleared.
    private static let maximumSteps = 1 << 18
    /// The maximum number of traces that survive the clearing of the caches; records keep their own references.
    private static let maximumTraces = 1 << 16

    private var numbers = IntegerMap()
    var identities: [IdentityState] = []
    var tables: [SubjectTable] = []
    var tableNumbers: [SubjectKey: Int] = [:]
    private var tableSize = 0
    var lists: [RuleList] = []
    private var listSize = 0
    private var trie = TraceTrie()
    private var cache = VerdictCache()
    private var forgotten = Forgotten()
    private var hasLookedAtSourcePort = false
    private var domainSets = DomainSets()
    private var dependsOnDomains = false
    var enforced: [DecisionStep] = []
    private var pending: [DecisionStep] = []
    /// The traces of forwarded connections, by table and steps at each hook.
    var transitTraces: [[UInt32]: PolicyTrace] = [:]

    /// The traces of both ends.
    mutating func traces(_ query: PolicyQuery, _ world: PolicyWorld) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        let verdict = verdict(query, world)
        return (trie.traces[Int(verdict.egress)], trie.traces[Int(verdict.ingress)])
    }

    /// The traces of both ends, evaluated without the verdict cache.
    mutating func tracesEvaluated(
        _ query: PolicyQuery,
        _ world: PolicyWorld
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        var query = query
        numberDomains(of: &query, world)
        let verdict = evaluate(query, world)
        return (trie.traces[Int(verdict.egress)], trie.traces[Int(verdict.ingress)])
    }

    private mutating func verdict(_ query: PolicyQuery, _ world: PolicyWorld) -> VerdictCache.Verdict {
        var query = query
        numberDomains(of: &query, world)
        let key = query.key
        if let verdict = cache.verdict(key, world.generation) {
            guard verdict.isNeedsSourcePort else { return verdict }
            if let exact = cache.verdict(query.keyWithSourcePort, world.generation) { return exact }
        }
        let verdict = evaluate(query, world)
        if hasLookedAtSourcePort {
            cache.insert(key, world.generation, .needsSourcePort)
            cache.insert(query.keyWithSourcePort, world.generation, verdict)
        } else {
            cache.insert(key, world.generation, verdict)
        }
        return verdict
    }

    /// Sets the number of the domain lists that match a name of the destination.
    private mutating func numberDomains(of query: inout PolicyQuery, _ world: PolicyWorld) {
        guard world.usesDomains else { return }
        if domainSets.count >= DomainSets.limit {
            domainSets = DomainSets()
            cache.removeAll()
        }
        query.domainSet = domainSets.number(of: query.domains, world.tables)
    }

    private mutating func evaluate(_ query: PolicyQuery, _ world: PolicyWorld) -> VerdictCache.Verdict {
        limit()
        hasLookedAtSourcePort = false
        let ends = Ends(
            source: query.source.map { number(of: $0, world) },
            destination: query.destination.map { number(of: $0, world) }
        )
        return VerdictCache.Verdict(
            egress: ends.source.flatMap { end in
                world.isFailsafe(query, .egress) ? nil : decide(.egress, end, query, ends, world)
            } ?? 0,
            ingress: ends.destination.flatMap { end in
                world.isFailsafe(query, .ingress) ? nil : decide(.ingress, end, query, ends, world)
            } ?? 0
        )
    }

    /// Clears the caches if they use too much memory.
    mutating func limit() {
        forgotten.freeSome()
        guard
            identities.count > Self.maximumIdentities || tableSize + listSize > Self.maximumListSize
                || trie.count > Self.maximumSteps
        else { return }
        forgotten = Forgotten(identities: identities, tables: tables, lists: lists)
        numbers = IntegerMap()
        identities = []
        tables = []
        tableNumbers = [:]
        tableSize = 0
        lists = []
        listSize = 0
        trie.removeTrees(keepingTraces: Self.maximumTraces)
        transitTraces = [:]
        cache.removeAll()
    }
}

/// Cleared caches, which are freed in small steps, because freeing all at once would delay evaluation.
private struct Forgotten: Sendable {
    var identities: [IdentityState] = []
    var tables: [SubjectTable] = []
    var lists: [RuleList] = []

    mutating func freeSome() {
        guard !identities.isEmpty || !tables.isEmpty || !lists.isEmpty else { return }
        for _ in 0..<32 {
            _ = identities.popLast()
            _ = tables.popLast()
            _ = lists.popLast()
        }
    }
}

/// The indices of both ends in ``EvaluatorState``; nil for an address without an endpoint.
struct Ends {
    var source: Int?
    var destination: Int?
}

// MARK: - Identities

extension EvaluatorState {
    /// The index of an identity, after an update of its state.
    mutating func number(of identity: EndpointIdentity, _ world: PolicyWorld) -> Int {
        var number = identities.count
        if let known = numbers.value(identity.id) {
            number = Int(known)
            if identities[number].generation == world.generation { return number }
        } else {
            numbers.insert(identity.id, UInt32(number))
            identities.append(IdentityState(identity))
        }
        update(number, world)
        return number
    }

    private mutating func update(_ number: Int, _ world: PolicyWorld) {
        let identity = identities[number].identity
        identities[number].generation = world.generation
        let namespace = world.namespaceLabels(identity)
        let account = world.serviceAccountLabels(identity)
        let origins = LabelOrigins(
            namespace: namespace?.number ?? 0,
            serviceAccount: account?.number ?? 0,
            vocabulary: world.tables.selectors.vocabulary
        )
        let old = identities[number].origins
        let policies = PolicyOrigins(
            global: world.global.number,
            namespaced: identity.namespace.flatMap { world.namespaced[$0] }?.number ?? 0
        )
        if origins != old {
            let labels = EffectiveLabels.of(identity, namespace: namespace, serviceAccount: account)
            identities[number].labels = world.tables.selectors.numbered(labels)
            identities[number].origins = origins
        }
        let areLabelsNew = origins.namespace != old.namespace || origins.serviceAccount != old.serviceAccount
        if areLabelsNew { identities[number].memo = SelectorMemo() }
        if areLabelsNew || identities[number].policies != policies {
            identities[number].policies = policies
            identities[number].ingress = nil
            identities[number].egress = nil
            identities[number].atHooks = [:]
        }
    }

    /// Whether a selector matches an identity.
    private mutating func selects(_ selector: UInt32, _ number: Int, _ world: PolicyWorld) -> Bool {
        if let known = identities[number].memo.value(selector) { return known }
        let holds = world.tables.selectors.holds(selector, for: identities[number].labels)
        identities[number].memo.set(selector, holds)
        return holds
    }
}

// MARK: - Tables

extension EvaluatorState {
    /// The table of an endpoint for a direction.
    private mutating func table(_ direction: FlowDirection, _ number: Int, _ world: PolicyWorld) -> Int {
        let known = direction == .ingress ? identities[number].ingress : identities[number].egress
        if let known { return known }
        let table = makeTable(direction, .end, number, world)
        if direction == .ingress { identities[number].ingress = table } else { identities[number].egress = table }
        return table
    }

    mutating func makeTable(
        _ direction: FlowDirection,
        _ hook: PolicyHook,
        _ number: Int,
        _ world: PolicyWorld
    ) -> Int {
        let identity = identities[number].identity
        var members: [ScopedPolicy] = []
        let scopes = [world.global, identity.namespace.flatMap { world.namespaced[$0] }].compactMap(\.self)
        for scope in scopes {
            for member in scope.policies
            where member.policy.governs(direction, hook) && selects(member.policy.selector, number, world) {
                members.append(member)
            }
        }
        if scopes.count > 1 { members.sort(by: ScopedPolicy.precedes) }
        let key = SubjectKey(
            direction: direction,
            hook: hook,
            tiers: world.tiers.number,
            policies: members.map(\.policy.number),
            profiles: ProfileOutcome(identity)
        )
        if let known = tableNumbers[key] { return known }
        let table = SubjectTable(key, members, world, root: trie.root())
        tableNumbers[key] = tables.count
        tables.append(table)
        tableSize += table.policies.count * 16 + table.portBounds.count * 2 + 640
        return tables.count - 1
    }

    /// The list of the rules in a table that can match a connection's protocol and destination port.
    mutating func list(_ table: Int, _ query: PolicyQuery, _ world: PolicyWorld) -> Int {
        let proto = query.packets.proto
        let port = query.packets.destinationPort
        let key = tables[table].listKey(proto, port)
        if let known = tables[table].lists.value(key) { return Int(known) }
        let list = RuleList(tables[table], world.tables, proto, port)
        tables[table].lists.insert(key, UInt32(lists.count))
        lists.append(list)
        listSize += list.size + 96
        return lists.count - 1
    }
}

// MARK: - Decisions

extension EvaluatorState {
    /// The number of the trace for one end.
    private mutating func decide(
        _ direction: FlowDirection,
        _ subject: Int,
        _ query: PolicyQuery,
        _ ends: Ends,
        _ world: PolicyWorld
    ) -> UInt32 {
        let table = table(direction, subject, world)
        let list = lists[list(table, query, world)]
        dependsOnDomains = false
        enforced.removeAll(keepingCapacity: true)
        follow(list, table, staged: false, query, ends, world)
        var node = tables[table].root
        for step in enforced { node = trie.follow(step, from: node) }
        let hasStaged = tables[table].hasStaged
        if hasStaged {
            pending.removeAll(keepingCapacity: true)
            follow(list, table, staged: true, query, ends, world)
            node = trie.follow(.pending, from: node)
            for step in pending { node = trie.follow(step, from: node) }
        }
        if dependsOnDomains { node = trie.follow(.dependsOnDomains, from: node) }
        let known = trie.trace(at: node)
        if known != 0 { return known }
        return trie.setTrace(
            at: node,
            action: HitText.action(enforced, tables[table]),
            enforced: HitText.enforced(enforced, tables[table]),
            pending: HitText.pending(hasStaged ? pending : enforced, tables[table]),
            dependsOnDomains: dependsOnDomains
        )
    }

    /// Evaluates the tiers, and appends a step for each one to `pending` or `enforced`.
    ///
    /// With `staged`, staged policies are treated as enforced. Unlike Calico's own evaluation of staged policies, ICMP
    /// types and address sets are matched as for enforced rules, so that a pending trace shows the effect of enforcing
    /// the policy.
    mutating func follow(
        _ list: RuleList,
        _ table: Int,
        staged: Bool,
        _ query: PolicyQuery,
        _ ends: Ends,
        _ world: PolicyWorld
    ) {
        var next = 0
        for place in 0..<tables[table].stretches.count
        where staged || tables[table].stretches[place].lastEnforced != nil {
            while next < list.entries.count, list.entries[next].stretch < place { next += 1 }
            var decided: RuleList.Entry?
            while next < list.entries.count, list.entries[next].stretch == place {
                let entry = list.entries[next]
                next += 1
                if staged || !entry.isStaged, matches(entry, list, query, ends, world) {
                    decided = entry
                    break
                }
            }
            if let decided {
                append(DecisionStep(rawValue: decided.rule), staged)
                if decided.action != .pass { return }
            } else {
                guard tables[table].key.hook.hasDefaultAction else { continue }
                append(.endOfTier(place), staged)
                if tables[table].stretches[place].tier.defaultAction == .deny { return }
            }
        }
        append(.profiles, staged)
    }

    private mutating func append(_ step: DecisionStep, _ staged: Bool) {
        if staged { pending.append(step) } else { enforced.append(step) }
    }

    private mutating func matches(
        _ entry: RuleList.Entry,
        _ list: RuleList,
        _ query: PolicyQuery,
        _ ends: Ends,
        _ world: PolicyWorld
    ) -> Bool {
        let first = Int(entry.criteria)
        for index in first..<(first + Int(entry.count))
        where !holds(list.criteria[index], query, ends, world) {
            return false
        }
        return true
    }

    private mutating func holds(
        _ criterion: PackedCriterion,
        _ query: PolicyQuery,
        _ ends: Ends,
        _ world: PolicyWorld
    ) -> Bool {
        let isSource = criterion.side == .source
        let holds: Bool
        switch criterion.kind {
        case .never: return false
        case .ipVersion: holds = (criterion.value == 4) == query.packets.destination.isIPv4
        case .proto: holds = criterion.value == UInt32(query.packets.proto.rawValue)
        case .icmp: holds = Self.hasICMP(criterion.value, query)
        case .ports:
            if isSource { hasLookedAtSourcePort = true }
            holds = Self.hasPort(world.tables.ports[Int(criterion.value)], query, isSource: isSource)
        case .nets:
            let nets = world.tables.nets[Int(criterion.value)]
            holds = world.addresses.isIn(nets, isSource ? query.sourceClass : query.destinationClass)
        case .selector:
            let end = isSource ? ends.source : ends.destination
            holds =
                end.map { selects(criterion.value, $0, world) } ?? false
                || selectsSet(criterion.value, isSource ? query.sourceClass : query.destinationClass, world)
                || criterion.matchesDomains && selectsSetByDomain(criterion.value, query, world)
        case .service:
            holds = world.services.contains(
                isSource ? query.sourceServices : query.destinationServices,
                criterion.value
            )
        case .domains:
            if query.domainSet != DomainSets.none { dependsOnDomains = true }
            holds = domainSets.lists(query.domainSet).contains(criterion.value)
        }
        return holds != criterion.isNegated
    }

    /// Whether a selector matches a network set that contains the addresses of a class.
    private mutating func selectsSet(_ selector: UInt32, _ class: UInt32, _ world: PolicyWorld) -> Bool {
        world.addresses.containsSet(`class`) { set in selects(selector, number(of: set, world), world) }
    }

    /// Whether a selector matches a network set with a domain name of the destination.
    private mutating func selectsSetByDomain(_ selector: UInt32, _ query: PolicyQuery, _ world: PolicyWorld) -> Bool {
        guard query.domainSet != DomainSets.none else { return false }
        let lists = domainSets.lists(query.domainSet)
        var isSelected = false
        for set in world.domainSets where selects(selector, number(of: set.identity, world), world) {
            dependsOnDomains = true
            isSelected = isSelected || lists.contains(set.domains)
        }
        return isSelected
    }

    private static func hasICMP(_ value: UInt32, _ query: PolicyQuery) -> Bool {
        guard query.isICMP else { return false }
        let message = UInt32(query.packets.destinationPort)
        return (value & 1 << 16 == 0 || message >> 8 == value & 0xff)
            && (value & 1 << 17 == 0 || message & 0xff == value >> 8 & 0xff)
    }

    private static func hasPort(_ list: PortList, _ query: PolicyQuery, isSource: Bool) -> Bool {
        guard query.packets.proto.hasPorts else { return false }
        let port = isSource ? query.packets.sourcePort : query.packets.destinationPort
        return list.hasNumber(port)
            || list.hasName(port, query.packets.proto, of: isSource ? query.source : query.destination)
    }
}
