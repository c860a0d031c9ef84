import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct PodTests {
    private static let address = "10.1.0.1"

    @Test(
        arguments: [
            ("frontend-755cdc7957-x7k2p", "frontend-755cdc7957-", "frontend-755cdc7957-*"),
            // The rule uses generateName only, and ignores a name that looks generated.
            ("frontend-755cdc7957-x7k2p", nil, "frontend-755cdc7957-x7k2p"),
            ("multitool", "", "multitool"),
            ("vault-1", "vault-", "vault-*"),
            ("a", "b", "b*"),
        ] as [(String, String?, String)]
    )
    func aggregatedNameFollowsGenerateName(name: String, generateName: String?, aggregated: String) {
        var world = TestWorld()
        world.upsert(.pod(name, at: Self.address, generateName: generateName))
        #expect(world.endpoint(Self.address) == "wep shop/\(name) \(aggregated) []")
    }

    @Test(
        arguments: [
            ("", ""),
            ("app=a,tier=web", "app=a,tier=web"),
            // Ascending as texts, which is not the order of keys.
            ("a=1,a-b=2", "a-b=2,a=1"),
            ("projectcalico.org/namespace=x,projectcalico.org/orchestrator=k8s,app=a", "app=a"),
            ("notprojectcalico.org/x=1", "notprojectcalico.org/x=1"),
            ("key=v=w,empty=", "empty=,key=v=w"),
        ]
    )
    func labelsAreSortedAndExcludeCalicoLabels(given: String, shown: String) {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address, labels: given))
        #expect(world.endpoint(Self.address) == "wep shop/p p [\(shown)]")
    }

    @Test(
        arguments: [
            (.pod("p", at: "10.1.0.1"), "wep shop/p p []"),
            (.pod("p", at: "10.1.0.1", hostNetwork: true), "net - pvt"),
            (.pod("p", at: "10.1.0.1", phase: .ended), "net - pvt"),
            (.pod("p"), "net - pvt"),
            (.pod("", at: "10.1.0.1"), "net - pvt"),
            (.pod("p", at: "fd00::7", "10.1.0.1"), "wep shop/p p []"),
        ] as [(ClusterObject, String)]
    )
    func onlyLivePodsWithOwnNetworkOwnAddresses(pod: ClusterObject, expected: String) {
        var world = TestWorld()
        world.upsert(pod)
        #expect(world.endpoint(Self.address) == expected)
    }

    /// Containers of this host's pods have a name, also of pods in the host's network, and for a while after their end.
    @Test func containersOfLocalPodsHaveNames() {
        var world = TestWorld()
        func pod(
            _ name: String,
            on node: String,
            _ containers: [String: String],
            hostNetwork: Bool = false
        ) -> ClusterObject {
            .pod(
                Pod(
                    metadata: ObjectMetadata(name: name, namespace: "shop"),
                    node: node,
                    usesHostNetwork: hostNetwork,
                    containers: containers.map { PodContainer(identifier: $0.key, name: $0.value) }
                )
            )
        }
        func name(_ id: String) -> String? { world.inventory.snapshot().containerName(of: id) }
        world.upsert(pod("p", on: "node-1", ["c1": "web", "c2": "proxy"]), pod("q", on: "node-2", ["c3": "other"]))
        world.upsert(pod("h", on: "node-1", ["c4": "exporter"], hostNetwork: true))
        #expect(["c1", "c2", "c3", "c4", "c5"].map(name) == ["web", "proxy", nil, "exporter", nil])
        // After a restart, the old identifier stays known until 256 other ones have ended.
        world.upsert(pod("p", on: "node-1", ["c5": "web", "c2": "proxy"]))
        #expect(["c1", "c5"].map(name) == ["web", "web"])
        for number in 0..<256 { world.upsert(pod("p", on: "node-1", ["d\(number)": "web", "c2": "proxy"])) }
        #expect(["c1", "c2", "c5", "d255"].map(name) == [nil, "proxy", "web", "web"])
        world.delete(.pod, "h", in: "shop")
        #expect(name("c4") == "exporter")
    }

    @Test func podOwnsAllItsAddresses() {
        var world = TestWorld()
        world.upsert(.pod("p", at: "10.1.0.1", "10.1.0.1", "fd00::7"))
        #expect(world.endpoint("10.1.0.1") == world.endpoint("fd00::7"))
        #expect(world.inventory.statistics.addresses == 2)
    }

    @Test func addressFallsBackToNextNewestPod() {
        var world = TestWorld()
        world.upsert(
            .pod("a", at: Self.address, created: 100),
            .pod("c", at: Self.address, created: 300),
            .pod("b", at: Self.address, created: 200)
        )
        #expect(world.endpoint(Self.address) == "wep shop/c c []")
        #expect(world.inventory.statistics.contestedAddresses == 1)
        // An update does not make a pod newer.
        world.upsert(.pod("a", at: Self.address, labels: "x=y", created: 100))
        #expect(world.endpoint(Self.address) == "wep shop/c c []")
        world.delete(.pod, "c", in: "shop")
        #expect(world.endpoint(Self.address) == "wep shop/b b []")
        world.upsert(.pod("b", at: Self.address, phase: .ended, created: 200))
        #expect(world.endpoint(Self.address) == "wep shop/a a [x=y]")
        #expect(world.inventory.statistics.contestedAddresses == 0)
    }

    /// A job owns its last connections, and none that begin after its end.
    @Test func endedPodOwnsConnectionsFromBeforeItsEnd() {
        var world = TestWorld()
        world.upsert(.pod("job", at: Self.address), .pod("other", at: "10.1.0.2"))
        world.upsert(.pod("job", at: Self.address, phase: .ended))
        let (address, other, end) = (ip(Self.address), ip("10.1.0.2"), world.now)
        func name(began: Int64) -> String {
            world.inventory.snapshot().endpoints(source: address, destination: other, began: began).source.name
        }
        #expect(name(began: end) == "job" && name(began: end + 1) == "-")
        // The deletion that follows changes nothing.
        world.wait(seconds: 5)
        world.delete(.pod, "job", in: "shop")
        #expect(name(began: end) == "job" && name(began: end + 1) == "-")
        world.wait(seconds: 5)
        #expect(name(began: end) == "-")
        // A pod that was never seen live owns none.
        world.upsert(.pod("late", at: Self.address, phase: .ended))
        #expect(world.endpoint(Self.address) == "net - pvt")
    }

    @Test func endedPodLosesAddressToNextPodAtOnce() {
        var world = TestWorld()
        world.upsert(.pod("job", at: Self.address), .pod("job", at: Self.address, phase: .ended))
        world.upsert(.pod("next", at: Self.address))
        #expect(world.endpoint(Self.address) == "wep shop/next next []")
        world.upsert(.pod("job", at: Self.address, phase: .ended))
        #expect(world.endpoint(Self.address) == "wep shop/next next []")
    }

    @Test func deletedPodKeepsAddressForTenSeconds() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address))
        world.delete(.pod, "p", in: "shop")
        #expect(world.inventory.statistics.count(.pod) == 0)
        #expect(world.inventory.statistics.keptAddresses == 1)
        #expect(world.inventory.nextExpiry == world.now + 10 * TestWorld.second)
        world.wait(seconds: 9.9)
        #expect(world.endpoint(Self.address) == "wep shop/p p []")
        world.wait(seconds: 0.1)
        #expect(world.endpoint(Self.address) == "net - pvt")
        #expect(world.inventory.nextExpiry == nil)
        #expect(world.inventory.statistics.keptAddresses == 0)
    }

    /// A connection that begins after the pod's end is not the pod's, and may be that of a pod that is not known yet.
    @Test func deletedPodOwnsConnectionsFromBeforeItsEnd() {
        var world = TestWorld()
        world.inventory.expectsWorkloads = true
        world.upsert(.pod("p", at: Self.address), .pod("other", at: "10.1.0.2"))
        world.delete(.pod, "p", in: "shop")
        let (address, other, end) = (ip(Self.address), ip("10.1.0.2"), world.now)
        func names(_ snapshot: InventorySnapshot, began: Int64) -> [String] {
            let there = snapshot.endpoints(source: address, destination: other, began: began)
            let back = snapshot.endpoints(source: other, destination: address, began: began)
            return [there.source, there.destination, back.source, back.destination].map(\.name)
        }
        world.wait(seconds: 5)
        let snapshot = world.inventory.snapshot()
        for began in [0, end - 1, end] {
            #expect(names(snapshot, began: began) == ["p", "other", "other", "p"])
            #expect(!snapshot.mayBecomeKnown(address, began: began))
        }
        #expect(names(snapshot, began: end + 1) == ["-", "other", "other", "-"])
        #expect(snapshot.mayBecomeKnown(address, began: end + 1))
        world.upsert(.pod("new", at: Self.address))
        #expect(names(world.inventory.snapshot(), began: end + 1) == ["new", "other", "other", "new"])
        #expect(!world.inventory.snapshot().mayBecomeKnown(address, began: end + 1))
        world.upsert(.pod("new"))
        world.wait(seconds: 10)
        #expect(names(world.inventory.snapshot(), began: 0) == ["-", "other", "other", "-"])
    }

    @Test func newPodReplacesDeletedPodForGood() {
        var world = TestWorld()
        world.upsert(.pod("old", at: Self.address))
        world.delete(.pod, "old", in: "shop")
        world.upsert(.pod("new", at: Self.address))
        #expect(world.endpoint(Self.address) == "wep shop/new new []")
        // The deleted one does not come back when the new one ends within its ten seconds.
        world.upsert(.pod("new", at: Self.address, phase: .ended))
        #expect(world.endpoint(Self.address) == "wep shop/new new []")
        world.wait(seconds: 10)
        #expect(world.endpoint(Self.address) == "net - pvt")
    }

    @Test func removedAddressesAreKeptForTenSeconds() {
        var world = TestWorld()
        world.upsert(.pod("p", at: "10.1.0.1", "10.1.0.2", labels: "v=1"))
        world.upsert(.pod("p", at: "10.1.0.2", "10.1.0.3", labels: "v=2"))
        #expect(world.endpoint("10.1.0.1") == "wep shop/p p [v=1]")
        #expect(world.endpoint("10.1.0.2") == "wep shop/p p [v=2]")
        #expect(world.endpoint("10.1.0.3") == "wep shop/p p [v=2]")
        world.wait(seconds: 10)
        #expect(world.endpoint("10.1.0.1") == "net - pvt")
        #expect(world.endpoint("10.1.0.2") == "wep shop/p p [v=2]")
    }

    @Test func returnedAddressDoesNotExpire() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address))
        world.upsert(.pod("p"))
        world.wait(seconds: 5)
        world.upsert(.pod("p", at: Self.address))
        world.wait(seconds: 5)
        #expect(world.endpoint(Self.address) == "wep shop/p p []")
    }

    // MARK: Identity

    @Test func changedLabelsMakeNewVersionOfSameObject() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address, uid: "u1", labels: "v=1"))
        let before = world.inventory.snapshot().endpoint(at: ip(Self.address))
        world.upsert(.pod("p", at: Self.address, uid: "u1", labels: "v=2"))
        let snapshot = world.inventory.snapshot()
        let after = snapshot.endpoint(at: ip(Self.address))
        #expect(before.object == after.object)
        #expect(before.id != after.id)
        #expect(snapshot.refreshed(before, at: ip(Self.address)) === after)
        #expect(snapshot.refreshed(before, at: ip("10.9.9.9")) === before)
    }

    @Test func endpointStaysSameIfShownFieldsDo() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address, uid: "u1", generateName: "p-", labels: "v=1"))
        let before = world.inventory.snapshot()
        world.upsert(.pod("p", at: Self.address, "10.1.0.2", uid: "u1", generateName: "p-", labels: "v=1"))
        let after = world.inventory.snapshot()
        #expect(before.endpoint(at: ip(Self.address)) === after.endpoint(at: ip(Self.address)))
        #expect(after.endpoint(at: ip("10.1.0.2")) === after.endpoint(at: ip(Self.address)))
    }

    @Test func anotherUIDIsAnotherObject() {
        var world = TestWorld()
        world.upsert(.pod("vault-1", at: "10.1.0.1", uid: "u1"))
        let before = world.inventory.snapshot().endpoint(at: ip("10.1.0.1"))
        world.upsert(.pod("vault-1", at: "10.1.0.2", uid: "u2"))
        let snapshot = world.inventory.snapshot()
        let after = snapshot.endpoint(at: ip("10.1.0.2"))
        #expect(after.object != before.object)
        // The old pod counts as deleted.
        #expect(snapshot.endpoint(at: ip("10.1.0.1")) === before)
        #expect(snapshot.refreshed(before, at: ip("10.1.0.2")) === before)
        world.wait(seconds: 10)
        #expect(world.endpoint("10.1.0.1") == "net - pvt")
        #expect(world.inventory.statistics.count(.pod) == 1)
    }

    @Test func ignoresDeleteOfEarlierObject() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address, uid: "u2"))
        world.delete(.pod, "p", in: "shop", uid: "u1")
        world.wait(seconds: 20)
        #expect(world.endpoint(Self.address) == "wep shop/p p []")
        world.delete(.pod, "p", in: "shop", uid: "u2")
        world.wait(seconds: 20)
        #expect(world.endpoint(Self.address) == "net - pvt")
    }

    @Test func sameNameFromTwoSourcesIsTwoObjects() {
        var world = TestWorld()
        world.upsert(.pod("p", at: Self.address, labels: "from=1"))
        world.upsert(.pod("p", at: Self.address, labels: "from=2"), from: TestWorld.other)
        #expect(world.endpoint(Self.address) == "wep shop/p p [from=1]")
        world.delete(.pod, "p", in: "shop")
        #expect(world.endpoint(Self.address) == "wep shop/p p [from=2]")
        #expect(world.inventory.statistics.objects[.pod] == [TestWorld.other: 1])
    }

    @Test func similarPodsShareLabelsAndIdentity() {
        var world = TestWorld()
        world.upsert(
            .pod("a", at: "10.1.0.1", labels: "app=x,tier=web", serviceAccount: "robot"),
            .pod("b", at: "10.1.0.2", labels: "app=x,tier=web", serviceAccount: "robot"),
            .pod("c", at: "10.1.0.3", labels: "app=x,tier=web", serviceAccount: "other")
        )
        let snapshot = world.inventory.snapshot()
        let (a, b, c) = (
            snapshot.endpoint(at: ip("10.1.0.1")), snapshot.endpoint(at: ip("10.1.0.2")),
            snapshot.endpoint(at: ip("10.1.0.3"))
        )
        #expect(a.labels === b.labels)
        #expect(a.identity === b.identity)
        #expect(a.identity !== c.identity)
        #expect(a.identity?.serviceAccount == "robot")
        #expect(a.identity?.labels == labels("app=x,tier=web"))
        #expect(a.identity?.kind == .workload)
        #expect(a.identity?.namespace == "shop")
    }

    // MARK: This host

    @Test func podsOfThisHostAreLocal() {
        var world = TestWorld()
        world.upsert(
            .pod("a", at: "10.1.0.1", node: "node-1"),
            .pod("b", at: "10.1.0.2", node: "node-2"),
            .pod("c", at: "10.1.0.3")
        )
        let before = world.inventory.snapshot()
        #expect(["10.1.0.1", "10.1.0.2", "10.1.0.3"].map { before.isLocalWorkload(ip($0)) } == [true, false, false])
        world.upsert(.pod("c", at: "10.1.0.3", node: "node-1"))
        #expect(world.inventory.snapshot().isLocalWorkload(ip("10.1.0.3")))
        #expect(world.inventory.snapshot().generation > before.generation)
        #expect(!before.isLocalWorkload(ip("10.1.0.3")))
    }

    /// The interfaces determine the local pods if the host's name is that of another node.
    @Test func podsBehindInterfacesAreLocalIfNoneIsByName() {
        var world = TestWorld()
        world.upsert(
            .pod("a", at: "10.1.0.1", node: "node-2"),
            .pod("b", at: "10.1.0.2", node: "node-2"),
            .pod("c", at: "10.1.0.3", node: "node-1")
        )
        let addresses = (1...3).map { ip("10.1.0.\($0)") }
        func local() -> [Bool] {
            let snapshot = world.inventory.snapshot()
            return addresses.map { snapshot.isLocalWorkload($0) }
        }
        // An address without a pod has no effect.
        world.inventory.replacePlacedAddresses(with: [ip("10.1.0.9")])
        #expect(local() == [false, false, true])
        #expect(!world.inventory.hasOthersPods)
        let before = world.inventory.snapshot().generation
        world.inventory.replacePlacedAddresses(with: [ip("10.1.0.1"), ip("10.1.0.9")])
        #expect(local() == [true, false, false])
        #expect(world.inventory.hasOthersPods)
        #expect(world.inventory.snapshot().generation > before)
        // One pod with this node name is enough: the other pods' addresses must be misconfigured.
        world.inventory.replacePlacedAddresses(with: [ip("10.1.0.1"), ip("10.1.0.3")])
        #expect(local() == [false, false, true])
        #expect(!world.inventory.hasOthersPods)
    }
}
