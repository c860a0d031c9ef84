import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct HostTests {
    private static func world(own: String...) -> TestWorld {
        var world = TestWorld()
        world.inventory.replaceOwnAddresses(with: Set(own.map(ip)))
        return world
    }

    @Test func ownAddressesBelongToHost() {
        var world = Self.world(own: "192.168.0.1", "fd00::1")
        #expect(world.endpoint("192.168.0.1") == "hep node-1 node-1")
        #expect(world.endpoint("fd00::1") == "hep node-1 node-1")
        #expect(world.inventory.snapshot().isOwn(ip("fd00::1")))
        #expect(!world.inventory.snapshot().isOwn(ip("192.168.0.2")))
        world.inventory.replaceOwnAddresses(with: [ip("192.168.0.2")])
        #expect(world.endpoint("192.168.0.1") == "net - pvt")
        #expect(world.endpoint("192.168.0.2") == "hep node-1 node-1")
        #expect(!world.inventory.snapshot().isOwn(ip("fd00::1")))
    }

    @Test func detectsHostWithoutNode() {
        var world = Self.world(own: "192.168.0.1")
        #expect(!world.inventory.lacksOwnNode)
        world.upsert(.node("node-2", at: "192.168.0.2"))
        #expect(world.inventory.lacksOwnNode)
        world.upsert(.node("node-1", at: "192.168.0.1"))
        #expect(!world.inventory.lacksOwnNode)
        world.delete(.node, "node-1")
        #expect(world.inventory.lacksOwnNode)
        world.delete(.node, "node-2")
        #expect(!world.inventory.lacksOwnNode)
    }

    @Test func hostHasLabelsOfItsNode() {
        var world = Self.world(own: "192.168.0.1")
        let before = world.inventory.snapshot()
        world.upsert(.node("node-1", at: "192.168.0.1", "203.0.113.9", labels: "zone=a"))
        let after = world.inventory.snapshot()
        #expect(world.endpoint("192.168.0.1") == "hep node-1 node-1 [zone=a]")
        #expect(after.endpoint(at: ip("203.0.113.9")) === after.endpoint(at: ip("192.168.0.1")))
        #expect(
            after.refreshed(before.endpoint(at: ip("192.168.0.1")), at: ip("192.168.0.1")).labels?.labels == ["zone=a"]
        )
        #expect(!after.isOwn(ip("203.0.113.9")))
        world.delete(.node, "node-1")
        #expect(world.endpoint("192.168.0.1") == "hep node-1 node-1")
        #expect(world.endpoint("203.0.113.9") == "hep node-1 node-1 [zone=a]")
        world.wait(seconds: 10)
        #expect(world.endpoint("203.0.113.9") == "net - pub")
    }

    @Test func otherNodesAreHosts() {
        var world = Self.world(own: "192.168.0.1")
        world.upsert(.node("node-2", at: "192.168.0.2", "fd00::2", labels: "zone=b,projectcalico.org/x=y"))
        #expect(world.endpoint("192.168.0.2") == "hep node-2 node-2 [zone=b]")
        #expect(world.endpoint("fd00::2") == "hep node-2 node-2 [zone=b]")
        // An own address belongs to this host, also if another Node has it.
        world.upsert(.node("node-3", at: "192.168.0.1"))
        #expect(world.endpoint("192.168.0.1") == "hep node-1 node-1")
    }

    /// The objects that claim an address, and its owner.
    @Test(
        arguments: [
            (own: true, [.pod("p", at: "10.0.0.9")], "hep node-1 node-1"),
            (own: true, [.hostEndpoint("eth0", on: "node-1", at: "10.0.0.9", labels: "a=b")], "hep eth0 node-1 [a=b]"),
            (
                own: true, [.hostEndpoint("eth0", on: "node-1", at: "10.0.0.9"), .pod("p", at: "10.0.0.9")],
                "hep eth0 node-1 []"
            ),
            (
                own: true, [.hostEndpoint("eth0", on: "node-1", at: "10.0.0.9"), .node("node-1", at: "10.0.0.9")],
                "hep eth0 node-1 []"
            ),
            (
                own: false, [.hostEndpoint("eth0", on: "node-2", at: "10.0.0.9"), .node("node-2", at: "10.0.0.9")],
                "hep eth0 node-2 []"
            ),
            (own: false, [.pod("p", at: "10.0.0.9"), .node("node-2", at: "10.0.0.9")], "wep shop/p p []"),
            (own: false, [.node("node-2", at: "10.0.0.9"), .pod("p", at: "10.0.0.9")], "wep shop/p p []"),
            (
                own: false, [.hostEndpoint("eth0", on: "node-2", at: "10.0.0.9"), .pod("p", at: "10.0.0.9")],
                "wep shop/p p []"
            ),
            (
                own: false,
                [
                    .pod("p", at: "10.0.0.9", created: 1),
                    .hostEndpoint("eth0", on: "node-2", at: "10.0.0.9", created: 2),
                ],
                "hep eth0 node-2 []"
            ),
            (
                own: false, [.node("node-2", at: "10.0.0.9"), .node("node-3", at: "10.0.0.9")],
                "hep node-3 node-3 []"
            ),
        ] as [(own: Bool, [ClusterObject], String)]
    )
    func choosesOwnerOfContestedAddress(own: Bool, objects: [ClusterObject], winner: String) {
        var world = own ? Self.world(own: "10.0.0.9") : Self.world(own: "10.0.0.1")
        for object in objects { world.upsert(object) }
        #expect(world.endpoint("10.0.0.9") == winner)
    }

    @Test func podOwnsAddressThatHostReleases() {
        var world = Self.world(own: "10.0.0.9")
        world.upsert(.pod("p", at: "10.0.0.9"))
        world.inventory.replaceOwnAddresses(with: [])
        #expect(world.endpoint("10.0.0.9") == "wep shop/p p []")
        world.inventory.replaceOwnAddresses(with: [ip("10.0.0.9")])
        #expect(world.endpoint("10.0.0.9") == "hep node-1 node-1")
    }

    @Test func onlyHostEndpointsHaveIdentities() {
        var world = Self.world(own: "10.0.0.1")
        world.upsert(.node("node-2", at: "10.0.0.2", labels: "a=b"))
        world.upsert(.hostEndpoint("eth0", on: "node-3", at: "10.0.0.3", labels: "a=b"))
        let snapshot = world.inventory.snapshot()
        #expect(snapshot.endpoint(at: ip("10.0.0.1")).identity == nil)
        #expect(snapshot.endpoint(at: ip("10.0.0.2")).identity == nil)
        #expect(snapshot.endpoint(at: ip("10.0.0.3")).identity?.labels == labels("a=b"))
        #expect(snapshot.endpoint(at: ip("10.0.0.3")).identity?.kind == .host)
    }

    @Test func deletedHostEndpointKeepsAddressForTenSeconds() {
        var world = Self.world()
        world.upsert(.hostEndpoint("eth0", on: "node-2", at: "10.0.0.2"))
        world.delete(.hostEndpoint, "eth0")
        #expect(world.endpoint("10.0.0.2") == "hep eth0 node-2 []")
        world.wait(seconds: 10)
        #expect(world.endpoint("10.0.0.2") == "net - pvt")
    }
}
