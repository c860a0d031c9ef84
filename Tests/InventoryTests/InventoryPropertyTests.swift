import ClusterModel
import FlowModel
import Inventory
import Testing

/// Random changes of a small cluster, applied to the inventory and to ``ReferenceInventory``: after each step both must
/// give the same results for every address.
@Suite struct InventoryPropertyTests {
    fileprivate static let sources = [SourceID(rawValue: 1), SourceID(rawValue: 2)]
    fileprivate static let addresses = [
        "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "172.20.0.1", "203.0.113.1", "203.0.113.130", "100.64.0.1",
        "fd00::1", "fd00::2", "2001:db8::1", "2001:db8::1:1",
    ].map(ip)
    fileprivate static let prefixes = [
        "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.2/31", "203.0.113.0/24", "203.0.113.128/25", "::/0",
        "2001:db8::/32", "2001:db8::/112", "fd00::2/128",
    ].compactMap(net)
    fileprivate static let ports: [UInt16] = [80, 81, 30_080]

    fileprivate struct Run {
        var inventory = Inventory(hostName: "node-1")
        var reference = ReferenceInventory(hostName: "node-1")
        var generator: SeededGenerator
        var now: Int64 = 0
        var isOneChange = true
        /// The earlier answers, and the object behind each.
        var answers: [IPAddress: (endpoint: Endpoint, by: ReferenceInventory.Statement)] = [:]
        var objects: [ReferenceInventory.Incarnation: UInt64] = [:]

        init(seed: UInt64) {
            generator = SeededGenerator(state: seed)
            inventory.expectsWorkloads = true
        }

        mutating func pick<Element>(_ choices: [Element]) -> Element {
            choices[Int.random(in: 0..<choices.count, using: &generator)]
        }

        mutating func some<Element>(_ choices: [Element], upTo count: Int) -> [Element] {
            (0..<Int.random(in: 0...count, using: &generator)).map { _ in pick(choices) }
        }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func matchesReferenceInventory(seed: UInt64) {
        var run = Run(seed: seed)
        for step in 0..<1_500 {
            let told = run.step()
            guard run.matchesReference() else {
                Issue.record("seed \(seed), step \(step), after \(told)")
                return
            }
        }
        #expect(run.objects.count > 100)
    }
}

// MARK: - Steps

extension InventoryPropertyTests.Run {
    fileprivate typealias Tests = InventoryPropertyTests

    /// Applies a random change, and returns its description.
    mutating func step() -> String {
        if chance(30) {
            now += Int64(pick([0, 1, 3, 6, 10])) * 1_000_000_000
            inventory.expire(at: now)
            reference.expire(at: now)
        }
        if chance(4) {
            let own = Set(some(Tests.addresses, upTo: 2))
            inventory.replaceOwnAddresses(with: own)
            reference.replaceOwn(own)
            return "own addresses \(own)"
        }
        let source = pick(Tests.sources)
        // Changes are applied one by one, except for replaces, so that none is reverted unseen.
        let changes = chance(6) ? replace() : [change()]
        isOneChange = changes.count == 1
        inventory.apply(changes, from: source, at: now)
        for change in changes { reference.apply(change, from: source, at: now) }
        return "\(source) \(changes)"
    }

    private mutating func replace() -> [ClusterChange] {
        let kind = pick([
            ObjectKind.pod, .node, .service, .endpointSlice, .networkSet, .globalNetworkSet, .hostEndpoint,
        ])
        var changes: [ClusterChange] = chance(90) ? [.beginReplace(kind)] : []
        if chance(10) { changes.append(.beginReplace(kind)) }
        changes += (0..<6).map { _ in change() }
        if chance(90) { changes.append(.endReplace(kind)) }
        if chance(20) { changes.append(.forget(kind)) }
        return changes
    }

    private mutating func change() -> ClusterChange {
        let object = object()
        guard chance(25) else { return .upsert(object.0) }
        return .delete(object.1, uid: pick([nil, nil, object.2, "u1"]))
    }

    private mutating func object() -> (ClusterObject, ObjectReference, String?) {
        let kind = pick(
            [
                ObjectKind.pod, .pod, .pod, .node, .service, .endpointSlice, .endpoints, .networkSet, .networkSet,
                .hostEndpoint,
            ]
        )
        let isGlobal = kind == .node || kind == .hostEndpoint || (kind == .networkSet && chance(40))
        let namespace = isGlobal ? nil : pick(["a", "b"])
        let name = kind == .node ? pick(["node-1", "node-2", "node-3"]) : pick(["x", "y", "z"])
        let uid = pick(["u1", "u1", "u1", "u2", nil])
        let metadata = ObjectMetadata(
            name: name,
            namespace: namespace,
            uid: uid,
            generateName: kind == .pod && chance(30) ? "x-" : nil,
            labels: labels(pick(["", "v=1", "v=2", "a=1,a-b=2", "projectcalico.org/x=1,v=1"])),
            isDeleting: chance(15),
            created: pick([nil, 100, 100, 200, 300])
        )
        let reference = ObjectReference(
            kind: kind == .networkSet && isGlobal ? .globalNetworkSet : kind,
            namespace: namespace,
            name: name
        )
        return (object(kind, metadata), reference, uid)
    }

    private mutating func object(_ kind: ObjectKind, _ metadata: ObjectMetadata) -> ClusterObject {
        switch kind {
        case .pod:
            return .pod(
                Pod(
                    metadata: metadata,
                    addresses: some(Tests.addresses, upTo: 2),
                    node: pick(["node-1", "node-2", nil]),
                    usesHostNetwork: chance(8),
                    phase: chance(12) ? .ended : .live,
                    started: pick([nil, nil, 150, 400]),
                    hasReleasedNetwork: chance(8)
                )
            )
        case .node:
            let addresses = some(Tests.addresses, upTo: 2)
            return .node(Node(metadata: metadata, addresses: addresses, podRanges: some(Tests.prefixes, upTo: 1)))
        case .hostEndpoint:
            let addresses = some(Tests.addresses, upTo: 2)
            let node = pick(["node-1", "node-2"])
            return .hostEndpoint(HostEndpoint(metadata: metadata, node: node, addresses: addresses))
        case .networkSet:
            return .networkSet(NetworkSet(metadata: metadata, nets: some(Tests.prefixes, upTo: 3)))
        case .service:
            // Each port once, as the API has it.
            let ports = Set(some(Tests.ports, upTo: 2)).sorted()
                .map { port in
                    Service.Port(
                        name: pick(["p", "q", nil]),
                        port: port,
                        nodePort: pick([nil, 30_000 + port, 30_080])
                    )
                }
            let kept = ports.reduce(into: [Service.Port]()) { kept, port in
                if port.nodePort == nil || !kept.contains(where: { $0.nodePort == port.nodePort }) { kept.append(port) }
            }
            return .service(Service(metadata: metadata, addresses: some(Tests.addresses, upTo: 2), ports: kept))
        default:
            let addresses = some(Tests.addresses, upTo: 3)
            let ports = some(Tests.ports, upTo: 2).map { NamedPort(port: $0) }
            let service = pick(["x", "y", nil])
            let group = ServiceEndpoints.Group(addresses: addresses, ports: ports)
            return .serviceEndpoints(
                ServiceEndpoints(kind: kind, metadata: metadata, service: service, groups: [group])
            )
        }
    }
}

// MARK: - Comparing

extension InventoryPropertyTests.Run {
    /// Whether both give the same results.
    mutating func matchesReference() -> Bool {
        let snapshot = inventory.snapshot()
        reference.prepare()
        var same = inventory.statistics.keptAddresses == reference.keptCount
        for address in Tests.addresses {
            let owner = reference.owner(address)
            same = same && areAddressesTheSame(snapshot, address, owner) && isIdentityTheSame(snapshot, address, owner)
            let other = pick(Tests.addresses)
            let (ours, theirs) = (
                snapshot.endpoints(source: address, destination: other), reference.endpoints(address, other)
            )
            if ours.source.text != theirs.0 || ours.destination.text != theirs.1 {
                Issue.record("\(address) → \(other): \(ours.source.text), \(ours.destination.text) is \(theirs)")
                same = false
            }
        }
        return same
    }

    private func areAddressesTheSame(
        _ snapshot: InventorySnapshot,
        _ address: IPAddress,
        _ owner: ReferenceInventory.Statement?
    ) -> Bool {
        var same = snapshot.isOwn(address) == reference.own.contains(address)
        same = same && snapshot.isLocalWorkload(address) == (owner?.isLocal ?? false)
        same = same && snapshot.mayBecomeKnown(address) == reference.mayBecomeKnown(address)
        for port in Tests.ports + [30_081] {
            let ours = snapshot.service(at: address, port: port, proto: .tcp)?.text
            same = same && ours == reference.service(address, port, .tcp)
            let isBackend = snapshot.isServiceBackend(address, port: port, proto: .tcp)
            same = same && isBackend == reference.isBackend(address, port, .tcp)
        }
        if !same { Issue.record("of \(address)") }
        return same
    }

    /// Whether versions of one object have one number, a version stays while nothing changes, and the former version is
    /// refreshed to the present one.
    private mutating func isIdentityTheSame(
        _ snapshot: InventorySnapshot,
        _ address: IPAddress,
        _ owner: ReferenceInventory.Statement?
    ) -> Bool {
        let now = snapshot.endpoint(at: address)
        var same = true
        if let before = answers[address] {
            let isSameObject = owner?.by == before.by.by
            let refreshed = snapshot.refreshed(before.endpoint, at: address)
            // The Node of this host and the host itself are one object of two statements.
            if before.endpoint.kind != .host { same = refreshed === (isSameObject ? now : before.endpoint) }
            let isUnchanged = owner?.shown == before.by.shown && before.endpoint.identity === now.identity
            if isOneChange, isSameObject, isUnchanged, now.kind == .workload, !before.by.isKept {
                same = same && now === before.endpoint
            }
        }
        answers[address] = owner.map { (now, $0) }
        if let owner, now.kind == .workload {
            same = same && objects[owner.by, default: now.object] == now.object
            objects[owner.by] = now.object
        }
        if !same { Issue.record("the object at \(address)") }
        return same
    }
}
