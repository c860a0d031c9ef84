import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct ExplanationTests {
    private static func world() -> TestWorld {
        var world = TestWorld()
        world.inventory.replaceOwnAddresses(with: [ip("192.168.0.1")])
        world.upsert(
            .pod("a", at: "10.1.0.1", node: "node-1"),
            .networkSet("wide", nets: "10.0.0.0/8", "20.0.0.0/8"),
            .networkSet("mine", in: "shop", nets: "20.1.0.0/16", "20.1.1.0/24"),
            .networkSet("theirs", in: "b", nets: "20.1.1.1/32"),
            .service("cart", at: "172.20.0.1", ports: [.init(name: "http", port: 80, nodePort: 30_080)]),
            .service("other", in: "b", at: "172.20.0.1", ports: [.init(name: "http", port: 80), .init(port: 81)]),
            .endpoints("cart-1", of: "cart", at: "10.1.0.1", port: 8_080),
            .endpoints("cart-2", of: "cart", at: "10.1.0.1", port: 8_080),
            .endpoints("other", in: "b", of: "other", at: "10.1.0.1", port: 8_080)
        )
        world.upsert(.pod("b", at: "10.1.0.1"), from: TestWorld.other)
        return world
    }

    private static func explain(
        _ address: String,
        port: UInt16? = nil,
        peerNamespace: String? = nil,
        _ change: (inout TestWorld) -> Void = { _ in }
    ) -> AddressExplanation {
        var world = world()
        change(&world)
        return world.inventory.snapshot().explain(ip(address), port: port, proto: nil, peerNamespace: peerNamespace)
    }

    @Test func explainsOwnerAndOtherClaimants() throws {
        let explanation = Self.explain("10.1.0.1", port: 8_080)
        guard case .owner(let owner) = explanation.rule else {
            Issue.record("\(explanation.rule)")
            return
        }
        #expect(owner.object?.description == "Pod shop/b")
        #expect(owner.source == TestWorld.other)
        #expect(owner.right == .podAddress && !owner.isKept)
        #expect(explanation.endpoint.name == "b")
        #expect(explanation.otherClaimants.map(\.endpoint.name) == ["a"])
        #expect(!explanation.isLocalWorkload)
        #expect(explanation.otherSets.map(\.endpoint.name) == ["wide"])
        let backend = try #require(explanation.backends.first)
        #expect(explanation.backends.count == 1 && backend.port == 8_080)
        #expect(backend.services.map(\.description) == ["Service b/other", "Service shop/cart"])
        #expect(Self.explain("10.1.0.1", port: 1).backends.isEmpty)
        #expect(Self.explain("10.1.0.1").backends.count == 1)
    }

    @Test func explainsDeletedOwner() {
        let explanation = Self.explain("10.1.0.1") {
            $0.delete(.pod, "b", in: "shop", from: TestWorld.other)
            $0.delete(.pod, "a", in: "shop")
        }
        guard case .owner(let owner) = explanation.rule else {
            Issue.record("\(explanation.rule)")
            return
        }
        #expect(owner.isKept && owner.object?.name == "a")
        #expect(explanation.otherClaimants.isEmpty)
    }

    @Test func explainsOwnAddress() {
        let explanation = Self.explain("192.168.0.1", port: 30_080)
        guard case .owner(let owner) = explanation.rule else {
            Issue.record("\(explanation.rule)")
            return
        }
        #expect(owner.right == .ownAddress && owner.object == nil && owner.source == nil)
        #expect(explanation.isOwn)
        #expect(explanation.services.map(\.way) == [.nodePort])
        #expect(explanation.services.first?.shown.text == "shop/cart http 30080")
    }

    @Test(
        arguments: [
            (nil, "wide", "20.0.0.0/8", .global, ["theirs", "mine"]),
            ("shop", "mine", "20.1.1.0/24", .preferredNamespace, ["wide", "theirs"]),
            ("b", "theirs", "20.1.1.1/32", .preferredNamespace, ["wide", "mine"]),
        ] as [(String?, String, String, NetworkSetCategory, [String])]
    )
    func explainsNetworkSet(
        peer: String?,
        name: String,
        prefix: String,
        category: NetworkSetCategory,
        others: [String]
    ) {
        let explanation = Self.explain("20.1.1.1", peerNamespace: peer)
        guard case .networkSet(let match) = explanation.rule else {
            Issue.record("\(explanation.rule)")
            return
        }
        #expect(match.endpoint.name == name && explanation.endpoint === match.endpoint)
        #expect(match.prefix.description == prefix)
        #expect(match.category == category)
        #expect(explanation.otherSets.map(\.endpoint.name) == others)
    }

    @Test func explainsServices() {
        let explanation = Self.explain("172.20.0.1")
        #expect(explanation.services.map(\.shown.text) == ["*/* http 80", "b/other - 81"])
        #expect(explanation.services.map(\.way) == [.address, .address])
        let called = explanation.services.first?.services.map(\.object.description)
        #expect(called == ["Service shop/cart", "Service b/other"])
        #expect(Self.explain("172.20.0.1", port: 81).services.count == 1)
        guard case .network = explanation.rule else {
            Issue.record("\(explanation.rule)")
            return
        }
    }
}
