import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct ScopeTests {
    @Test(
        arguments: [
            ("9.255.255.255", "pub"), ("10.0.0.0", "pvt"), ("10.255.255.255", "pvt"), ("11.0.0.0", "pub"),
            ("172.15.255.255", "pub"), ("172.16.0.0", "pvt"), ("172.31.255.255", "pvt"), ("172.32.0.0", "pub"),
            ("192.167.255.255", "pub"), ("192.168.0.0", "pvt"), ("192.168.255.255", "pvt"), ("192.169.0.0", "pub"),
            ("0.0.0.0", "pub"), ("100.64.0.1", "pub"), ("127.0.0.1", "pub"), ("169.254.0.1", "pub"),
            ("255.255.255.255", "pub"), ("::", "pub"), ("fd00::1", "pub"), ("fe80::1", "pub"), ("2001:db8::1", "pub"),
            // Its last bytes look private.
            ("64:ff9b::a00:1", "pub"),
        ]
    )
    func unownedAddressIsPrivateOrPublicNetwork(address: String, aggregatedName: String) {
        var world = TestWorld()
        #expect(world.endpoint(address) == "net - \(aggregatedName)")
    }

    @Test(
        arguments: [
            ("10.1.2.3", true), ("172.16.0.1", true), ("192.168.9.9", true),
            ("100.63.255.255", false), ("100.64.0.0", true), ("100.127.255.255", true), ("100.128.0.0", false),
            ("169.254.1.1", false), ("8.8.8.8", false), ("127.0.0.1", false),
            ("fbff::1", false), ("fc00::1", true), ("fdff::1", true), ("fe00::1", false), ("fe80::1", false),
            // In the range of a node's pods.
            ("203.0.113.7", true), ("203.0.114.7", false), ("2001:db8:1::5", true), ("2001:db8:2::5", false),
            // A pod, this host, a node, a service.
            ("10.5.0.1", false), ("10.5.0.2", false), ("10.5.0.3", false), ("10.5.0.4", false),
        ]
    )
    func onlyPossiblePodAddressesMayBecomeKnown(address: String, expected: Bool) {
        var world = TestWorld()
        world.inventory.replaceOwnAddresses(with: [ip("10.5.0.2")])
        world.upsert(
            .pod("p", at: "10.5.0.1"),
            .node("node-2", at: "10.5.0.3", podRanges: ["203.0.113.0/24", "2001:db8:1::/64"]),
            .service("s", at: "10.5.0.4", ports: [.init(port: 80)]),
            .networkSet("all", nets: "0.0.0.0/0")
        )
        #expect(!world.inventory.snapshot().mayBecomeKnown(ip(address)))
        world.inventory.expectsWorkloads = true
        #expect(world.inventory.snapshot().mayBecomeKnown(ip(address)) == expected)
    }

    @Test func deletedNodeRemovesItsPodRange() {
        var world = TestWorld()
        world.inventory.expectsWorkloads = true
        world.upsert(.node("node-2", podRanges: ["203.0.113.0/24"]))
        #expect(world.inventory.snapshot().mayBecomeKnown(ip("203.0.113.7")))
        let generation = world.inventory.snapshot().generation
        world.delete(.node, "node-2")
        #expect(!world.inventory.snapshot().mayBecomeKnown(ip("203.0.113.7")))
        #expect(world.inventory.snapshot().generation > generation)
    }
}
