import ClusterModel
import FlowModel
import Inventory
import Testing

/// The owner of an address that several objects claim depends on the objects' contents, not on the order in which they come.
@Suite struct OwnerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var objects: [ClusterObject]
        var owner: String

        var testDescription: String { name }
    }

    private static let address = "10.81.0.9"

    private static let cases: [Case] = [
        Case(
            name: "the younger one",
            objects: [.pod("aa", at: address, created: 300), .pod("zz", at: address, created: 200)],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "one that waited long for its node",
            objects: [
                .pod("aa", at: address, created: 100, started: 400),
                .pod("zz", at: address, created: 300, started: 301),
            ],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "one that is not being deleted",
            objects: [.pod("aa", at: address, created: 200), .pod("zz", at: address, created: 300, isDeleting: true)],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "one that Calico has not taken the network from",
            objects: [
                .pod("aa", at: address, created: 200), .pod("zz", at: address, created: 300, hasReleasedNetwork: true),
            ],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "one that is being deleted, where the other has ended",
            objects: [
                .pod("aa", at: address, created: 200, isDeleting: true),
                .pod("zz", at: address, phase: .ended, created: 300),
            ],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "the younger one of two that are being deleted",
            objects: [
                .pod("aa", at: address, created: 300, isDeleting: true),
                .pod("zz", at: address, created: 200, isDeleting: true),
            ],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "one whose age is known",
            objects: [.pod("aa", at: address, created: 1), .pod("zz", at: address)],
            owner: "wep shop/aa aa []"
        ),
        Case(
            name: "of one age the last by namespace and name",
            objects: [
                .pod("zz", in: "a", at: address, created: 100), .pod("aa", in: "b", at: address, created: 100),
                .pod("bb", in: "b", at: address, created: 100),
            ],
            owner: "wep b/bb bb []"
        ),
        Case(
            name: "a pod, and never a Node, however young",
            objects: [.pod("p", at: address), .node("n", at: address)],
            owner: "wep shop/p p []"
        ),
    ]

    @Test(arguments: cases) func choosesOwnerInAnyOrder(_ test: Case) {
        for order in test.objects.permutations {
            var world = TestWorld()
            for object in order { world.upsert(object) }
            #expect(world.endpoint(Self.address) == test.owner)
        }
    }

    @Test func deletingPodLosesAddressToOtherPod() {
        var world = TestWorld()
        world.upsert(.pod("old", at: Self.address, created: 300), .pod("new", at: Self.address, created: 200))
        #expect(world.endpoint(Self.address) == "wep shop/old old []")
        let before = world.inventory.snapshot().generation
        world.upsert(.pod("old", at: Self.address, created: 300, isDeleting: true))
        #expect(world.endpoint(Self.address) == "wep shop/new new []")
        #expect(world.inventory.snapshot().generation > before)
    }

    @Test func deletingPodKeepsUncontestedAddress() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address, isDeleting: true, hasReleasedNetwork: true))
        #expect(world.endpoint(Self.address) == "wep shop/p p []")
    }

    /// Random objects of few addresses, applied one by one and as replaces in another order: every address has the same owner.
    @Test(arguments: 1...200 as ClosedRange<UInt64>) func randomObjectsHaveSameOwnersInAnyOrder(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let objects = (0..<12).map { Self.object($0, &generator) }
        var one = TestWorld()
        for (object, source) in objects { one.upsert(object, from: source) }
        var other = TestWorld()
        for source in [TestWorld.other, TestWorld.source] {
            let told = objects.filter { $0.1 == source }.shuffled(using: &generator)
            let kinds: [ObjectKind] = [.pod, .node, .hostEndpoint]
            let changes =
                kinds.map { ClusterChange.beginReplace($0) } + told.map { ClusterChange.upsert($0.0) }
                + kinds.map { ClusterChange.endReplace($0) }
            other.inventory.apply(changes, from: source, at: other.now)
        }
        for number in 1...3 {
            let address = "10.0.0.\(number)"
            #expect(one.endpoint(address) == other.endpoint(address))
        }
    }

    private static func object(
        _ number: Int,
        _ generator: inout SeededGenerator
    ) -> (ClusterObject, SourceID) {
        func pick<Element>(_ choices: [Element]) -> Element {
            choices[Int.random(in: 0..<choices.count, using: &generator)]
        }
        let metadata = ObjectMetadata(
            name: pick(["x", "y", "node-1"]),
            uid: "u\(number)",
            labels: labels(pick(["", "v=1"])),
            isDeleting: pick([true, false, false]),
            created: pick([nil, 100, 100, 200])
        )
        let addresses = [ip("10.0.0.\(Int.random(in: 1...3, using: &generator))")]
        // Each object once in each source, so that both orders end in the same state.
        var object = ClusterObject.node("n\(number)")
        switch number % 3 {
        case 0:
            var pod = Pod(metadata: metadata, addresses: addresses, node: pick(["node-1", nil]))
            pod.metadata.name += "\(number / 6)"
            pod.metadata.namespace = number % 2 == 0 ? "a" : "b"
            pod.started = pick([nil, 150])
            pod.phase = pick([.live, .live, .live, .ended])
            object = .pod(pod)
        case 1:
            var node = Node(metadata: metadata, addresses: addresses)
            if number > 3 { node.metadata.name += "\(number)" }
            object = .node(node)
        default:
            var endpoint = HostEndpoint(metadata: metadata, node: "node-1", addresses: addresses)
            endpoint.metadata.name += "\(number)"
            object = .hostEndpoint(endpoint)
        }
        return (object, pick([TestWorld.source, TestWorld.other]))
    }
}

extension Array {
    /// All permutations of the elements.
    fileprivate var permutations: [[Element]] {
        guard count > 1 else { return [self] }
        return indices.flatMap { index in
            var rest = self
            let first = rest.remove(at: index)
            return rest.permutations.map { [first] + $0 }
        }
    }
}
