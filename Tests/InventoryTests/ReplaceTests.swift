import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct ReplaceTests {
    private static let kept = "wep shop/a a []"

    private static func world() -> TestWorld {
        var world = TestWorld()
        world.upsert(.pod("a", at: "10.1.0.1"), .pod("b", at: "10.1.0.2"))
        return world
    }

    @Test func unlistedPodExpiresAfterTenSeconds() {
        var world = Self.world()
        world.apply(.beginReplace(.pod))
        world.upsert(.pod("a", at: "10.1.0.1"), .pod("c", at: "10.1.0.3"))
        world.apply(.endReplace(.pod))
        #expect(world.endpoint("10.1.0.2") == "wep shop/b b []")
        world.wait(seconds: 10)
        #expect(world.endpoint("10.1.0.1") == Self.kept)
        #expect(world.endpoint("10.1.0.2") == "net - pvt")
        #expect(world.endpoint("10.1.0.3") == "wep shop/c c []")
        #expect(world.inventory.statistics.count(.pod) == 2)
    }

    /// Each of some addresses belongs to the last of four pods; all pods are removed at once, in any order.
    @Test func keepsOwnerOfSeveralRemovedPods() {
        var world = TestWorld()
        let addresses = (1...8).map { "10.1.0.\($0)" }
        // The pods are added in one order, and get the address in the other.
        for address in addresses {
            for number in (1...4).reversed() { world.upsert(.pod("p\(number)-\(address)")) }
            for number in 1...4 { world.upsert(.pod("p\(number)-\(address)", at: address)) }
        }
        world.apply(.beginReplace(.pod), .endReplace(.pod))
        for address in addresses {
            #expect(world.endpoint(address) == "wep shop/p4-\(address) p4-\(address) []")
        }
        #expect(world.inventory.statistics.contestedAddresses == 0)
    }

    @Test func replaceRemovesNothingBeforeItsEnd() {
        var world = Self.world()
        world.apply(.beginReplace(.pod))
        world.upsert(.pod("a", at: "10.1.0.1"))
        world.wait(seconds: 60)
        #expect(world.endpoint("10.1.0.2") == "wep shop/b b []")
    }

    @Test func secondBeginRestartsReplace() {
        var world = Self.world()
        world.apply(.beginReplace(.pod))
        world.upsert(.pod("b", at: "10.1.0.2"))
        world.apply(.beginReplace(.pod))
        world.upsert(.pod("a", at: "10.1.0.1"))
        world.apply(.endReplace(.pod))
        #expect(world.inventory.statistics.count(.pod) == 1)
        world.wait(seconds: 10)
        #expect(world.endpoint("10.1.0.1") == Self.kept)
        #expect(world.endpoint("10.1.0.2") == "net - pvt")
    }

    @Test func endWithoutBeginRemovesNothing() {
        var world = Self.world()
        world.apply(.endReplace(.pod))
        #expect(world.inventory.statistics.count(.pod) == 2)
        world.apply(.beginReplace(.pod), .endReplace(.pod), .endReplace(.pod))
        #expect(world.inventory.statistics.count(.pod) == 0)
        world.upsert(.pod("late", at: "10.1.0.4"))
        world.apply(.endReplace(.pod))
        #expect(world.inventory.statistics.count(.pod) == 1)
    }

    @Test func replaceAffectsOneKindAndSource() {
        var world = Self.world()
        world.upsert(.pod("other", at: "10.1.0.9"), from: TestWorld.other)
        world.upsert(.service("s", at: "172.20.0.1", ports: [.init(port: 80)]))
        world.apply(.beginReplace(.pod), .endReplace(.pod))
        world.wait(seconds: 10)
        #expect(world.endpoint("10.1.0.9") == "wep shop/other other []")
        #expect(world.inventory.statistics.objects[.pod] == [TestWorld.other: 1])
        #expect(world.inventory.statistics.count(.service) == 1)
    }

    /// Of each kind one object is listed again and one is not.
    @Test func replacesEveryKind() {
        var world = TestWorld()
        func metadata(_ name: String, _ namespace: String?) -> ObjectMetadata {
            ObjectMetadata(name: name, namespace: namespace)
        }
        func objects(_ name: String) -> [(ObjectKind, ClusterObject)] {
            [
                (.namespace, .namespace(Namespace(metadata: metadata(name, nil)))),
                (.pod, .pod(name, at: "10.1.0.1")),
                (.serviceAccount, .serviceAccount(ServiceAccount(metadata: metadata(name, "shop")))),
                (.node, .node(name, at: "10.1.0.2")),
                (.service, .service(name, at: "172.20.0.1", ports: [.init(port: 80, nodePort: 30_080)])),
                (.endpointSlice, .endpoints(name, of: name, at: "10.1.0.1", port: 80)),
                (.endpoints, .endpoints(name, of: name, at: "10.1.0.1", port: 80, kind: .endpoints)),
                (.networkSet, .networkSet(name, in: "shop", nets: "20.0.0.0/8")),
                (.globalNetworkSet, .networkSet(name, nets: "20.0.0.0/8")),
                (.hostEndpoint, .hostEndpoint(name, on: "node-2", at: "10.1.0.3")),
            ]
        }
        for (_, object) in objects("goes") { world.upsert(object) }
        for (kind, object) in objects("stays") {
            world.apply(.beginReplace(kind), .upsert(object), .endReplace(kind))
            #expect(world.inventory.statistics.objects[kind] == [TestWorld.source: 1], "\(kind)")
        }
        for (kind, _) in objects("") { world.apply(.beginReplace(kind), .endReplace(kind)) }
        world.wait(seconds: 10)
        _ = world.inventory.snapshot()
        #expect(world.inventory.statistics == InventoryStatistics())
    }
}
