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

    @Test func ownAddressesAreTheHost() {
        var world = Self.world(own: "192.168.0.1", "fd00::1")
        #expect(world.who("192.168.0.1") == "hep node-1 node-1")
        #expect(world.who("fd00::1") == "hep node-1 node-1")
        #expect(world.inventory.snapshot().isOwn(ip("fd00::1")))
        #expect(!world.inventory.snapshot().isOwn(ip("192.168.0.2")))
        world.inventory.replaceOwnAddresses(with: [ip("192.168.0.2")])
        #expect(world.who("192.168.0.1") == "net - pvt")
        #expect(world.who("192.168.0.2") == "hep node-1 node-1")
        #expect(!world.inventory.snapshot().isOwn(ip("fd00::1")))
    }

    @Test func aHostThatIsNoneOfTheNodesIsNoticed() {
        var world = Self.world(own: "192.168.0.1")
        #expect(!world.inventory.lacksOwnNode)
        world.tell(.node("node-2", at: "192.168.0.2"))
        #expect(world.inventory.lacksOwnNode)
        world.tell(.node("node-1", at: "192.168.0.1"))
        #expect(!world.inventory.lacksOwnNode)
        world.delete(.node, "node-1")
        #expect(world.inventory.lacksOwnNode)
        world.delete(.node, "node-2")
        #expect(!world.inventory.lacksOwnNode)
    }

    @Test func theNodeOfThisHostGivesItItsLabels() {
        var world = Self.world(own: "192.168.0.1")
        let before = world.inventory.snapshot()
        world.tell(.node("node-1", at: "192.168.0.1", "203.0.113.9", labels: "zone=a"))
        let after = world.inventory.snapshot()
        #expect(world.who("192.168.0.1") == "hep node-1 node-1 [zone=a]")
        #expect(after.endpoint(at: ip("203.0.113.9")) === after.endpoint(at: ip("192.168.0.1")))
        #expect(
            after.refreshed(before.endpoint(at: ip("192.168.0.1")), at: ip("192.168.0.1")).labels?.labels == ["zone=a"]
        )
        #expect(!after.isOwn(ip("203.0.113.9")))
        world.delete(.node, "node-1")
        #expect(world.who("192.168.0.1") == "hep node-1 node-1")
        #expect(world.who("203.0.113.9") == "hep node-1 node-1 [zone=a]")
        world.wait(seconds: 10)
        #expect(world.who("203.0.113.9") == "net - pub")
    }

    @Test func otherNodesAreHostsToo() {
        var world = Self.world(own: "192.168.0.1")
        world.tell(.node("node-2", at: "192.168.0.2", "fd00::2", labels: "zone=b,projectcalico.org/x=y"))
        #expect(world.who("192.168.0.2") == "hep node-2 node-2 [zone=b]")
        #expect(world.who("fd00::2") == "hep node-2 node-2 [zone=b]")
        // What this host has is its own, whatever another node says.
        world.tell(.node("node-3", at: "192.168.0.1"))
        #expect(world.who("192.168.0.1") == "hep node-1 node-1")
    }

    /// At an address: who claims it; who wins.
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
    func whoWinsAnAddress(own: Bool, objects: [ClusterObject], winner: String) {
        var world = own ? Self.world(own: "10.0.0.9") : Self.world(own: "10.0.0.1")
        for object in objects { world.tell(object) }
        #expect(world.who("10.0.0.9") == winner)
    }

    @Test func aPodGetsTheAddressThatTheHostGivesUp() {
        var world = Self.world(own: "10.0.0.9")
        world.tell(.pod("p", at: "10.0.0.9"))
        world.inventory.replaceOwnAddresses(with: [])
        #expect(world.who("10.0.0.9") == "wep shop/p p []")
        world.inventory.replaceOwnAddresses(with: [ip("10.0.0.9")])
        #expect(world.who("10.0.0.9") == "hep node-1 node-1")
    }

    @Test func policiesSeeHostEndpointsAndNotNodes() {
        var world = Self.world(own: "10.0.0.1")
        world.tell(.node("node-2", at: "10.0.0.2", labels: "a=b"))
        world.tell(.hostEndpoint("eth0", on: "node-3", at: "10.0.0.3", labels: "a=b"))
        let snapshot = world.inventory.snapshot()
        #expect(snapshot.endpoint(at: ip("10.0.0.1")).identity == nil)
        #expect(snapshot.endpoint(at: ip("10.0.0.2")).identity == nil)
        #expect(snapshot.endpoint(at: ip("10.0.0.3")).identity?.labels == labels("a=b"))
        #expect(snapshot.endpoint(at: ip("10.0.0.3")).identity?.kind == .host)
    }

    @Test func hostEndpointsAnswerForTenSecondsAfterTheirEnd() {
        var world = Self.world()
        world.tell(.hostEndpoint("eth0", on: "node-2", at: "10.0.0.2"))
        world.delete(.hostEndpoint, "eth0")
        #expect(world.who("10.0.0.2") == "hep eth0 node-2 []")
        world.wait(seconds: 10)
        #expect(world.who("10.0.0.2") == "net - pvt")
    }
}
