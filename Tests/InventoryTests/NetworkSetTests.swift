import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct NetworkSetTests {
    /// Sets in the namespaces a and b and in none.
    private static func world() -> TestWorld {
        var world = TestWorld()
        world.upsert(
            .networkSet("wide", nets: "20.0.0.0/8", "2001:db8::/32", labels: "w=1"),
            .networkSet("narrow", nets: "20.1.0.0/16"),
            .networkSet("mine", in: "a", nets: "20.1.0.0/16", "20.9.0.0/16"),
            .networkSet("theirs", in: "b", nets: "20.1.1.0/24", "30.0.0.0/8"),
            .networkSet("also", in: "a", nets: "30.0.0.0/16"),
            .networkSet("zz-first", in: "a", nets: "40.0.0.0/8"),
            .networkSet("second", in: "b", nets: "40.0.0.0/8"),
            .networkSet("x", nets: "50.0.0.0/8"),
            .networkSet("w", nets: "50.0.0.0/8"),
            .networkSet("everything6", nets: "::/0")
        )
        return world
    }

    @Test(
        arguments: [
            // In none of the sets of the preferred namespace: global ones, the longest prefix.
            ("20.5.0.0", nil, "ns wide wide [w=1]"),
            ("20.1.1.1", nil, "ns narrow narrow []"),
            ("20.5.0.0", "a", "ns wide wide [w=1]"),
            // The preferred namespace takes precedence over any length.
            ("20.1.1.1", "a", "ns a/mine mine []"),
            ("20.1.1.1", "b", "ns b/theirs theirs []"),
            ("20.1.2.1", "b", "ns narrow narrow []"),
            ("20.9.0.1", "a", "ns a/mine mine []"),
            // Global sets take precedence over those of other namespaces.
            ("20.9.0.1", "b", "ns wide wide [w=1]"),
            // No global set: other namespaces, the longest prefix.
            ("30.0.1.1", nil, "ns a/also also []"),
            ("30.0.1.1", "b", "ns b/theirs theirs []"),
            ("30.1.1.1", "a", "ns b/theirs theirs []"),
            ("30.1.1.1", "c", "ns b/theirs theirs []"),
            // Equal prefixes: the least key, which begins with the namespace.
            ("40.0.0.1", nil, "ns a/zz-first zz-first []"),
            ("40.0.0.1", "b", "ns b/second second []"),
            ("50.0.0.1", nil, "ns w w []"),
            // Families never mix.
            ("2001:db8::1", nil, "ns wide wide [w=1]"),
            ("2001:db9::1", nil, "ns everything6 everything6 []"),
            ("60.0.0.1", nil, "net - pub"),
        ] as [(String, String?, String)]
    )
    func choosesSetByNamespaceAndPrefix(address: String, namespace: String?, expected: String) {
        var world = Self.world()
        #expect(world.endpoint(address, preferring: namespace) == expected)
    }

    /// Source and destination, and their endpoints.
    @Test(
        arguments: [
            // The destination is a pod in a: its namespace decides for the source.
            ("20.1.1.1", "10.1.0.1", "ns a/mine mine []", "wep a/pod pod []"),
            ("10.1.0.1", "20.1.1.1", "wep a/pod pod []", "ns a/mine mine []"),
            ("10.1.0.2", "20.1.1.1", "wep b/pod pod []", "ns b/theirs theirs []"),
            // A host is in no namespace.
            ("10.1.0.3", "20.1.1.1", "hep node-2 node-2 []", "ns narrow narrow []"),
            // Neither is known: the source is chosen without preference, the destination by the set that was chosen.
            ("30.1.1.1", "20.1.1.1", "ns b/theirs theirs []", "ns b/theirs theirs []"),
            ("20.1.1.1", "30.1.1.1", "ns narrow narrow []", "ns b/theirs theirs []"),
            ("60.0.0.1", "40.0.0.1", "net - pub", "ns a/zz-first zz-first []"),
            // The source's set is preferred by the destination's pod, not the other way round.
            ("40.0.0.1", "10.1.0.2", "ns b/second second []", "wep b/pod pod []"),
        ]
    )
    func prefersNamespaceOfOtherEnd(source: String, destination: String, first: String, second: String) {
        var world = Self.world()
        world.upsert(
            .pod("pod", in: "a", at: "10.1.0.1"),
            .pod("pod", in: "b", at: "10.1.0.2"),
            .node("node-2", at: "10.1.0.3")
        )
        let ends = world.inventory.snapshot().endpoints(source: ip(source), destination: ip(destination))
        #expect(ends.source.text == first)
        #expect(ends.destination.text == second)
    }

    @Test func ownerTakesPrecedenceOverSet() {
        var world = Self.world()
        world.upsert(.pod("p", at: "20.1.1.1"))
        #expect(world.endpoint("20.1.1.1") == "wep shop/p p []")
    }

    @Test func changedSetIsTheSameObject() {
        var world = TestWorld()
        world.upsert(.networkSet("s", nets: "20.0.0.0/8", labels: "v=1"))
        let before = world.inventory.snapshot().endpoint(at: ip("20.1.1.1"))
        world.upsert(.networkSet("s", nets: "20.0.0.0/8", "21.0.0.0/8", labels: "v=1"))
        #expect(world.inventory.snapshot().endpoint(at: ip("21.1.1.1")) === before)
        world.upsert(.networkSet("s", nets: "20.0.0.0/8", labels: "v=2"))
        let snapshot = world.inventory.snapshot()
        let after = snapshot.endpoint(at: ip("20.1.1.1"))
        #expect(after.object == before.object && after !== before)
        #expect(snapshot.refreshed(before, at: ip("20.1.1.1")) === after)
        #expect(snapshot.refreshed(before, at: ip("21.1.1.1")) === before)
        #expect(world.endpoint("21.1.1.1") == "net - pub")
        // Another set has a longer prefix, but this set still has the address.
        world.upsert(.networkSet("t", nets: "20.1.0.0/16"))
        #expect(world.inventory.snapshot().refreshed(before, at: ip("20.1.1.1")) === after)
        // A pod owns the address, and the set does not have it any more.
        world.upsert(.pod("p", at: "20.1.1.1"))
        #expect(world.inventory.snapshot().refreshed(before, at: ip("20.1.1.1")) === before)
    }

    @Test func deletedSetIsNotReturned() {
        var world = Self.world()
        world.delete(.globalNetworkSet, "narrow")
        #expect(world.endpoint("20.1.1.1") == "ns wide wide [w=1]")
        world.delete(.networkSet, "mine", in: "a")
        #expect(world.endpoint("20.1.1.1", preferring: "a") == "ns wide wide [w=1]")
        // Deleting a namespaced set does not delete the global one of its name.
        world.delete(.networkSet, "wide")
        #expect(world.endpoint("20.1.1.1") == "ns wide wide [w=1]")
    }
}
