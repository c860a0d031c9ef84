import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct SnapshotTests {
    @Test func snapshotDoesNotChange() {
        var world = TestWorld()
        world.inventory.replaceOwnAddresses(with: [ip("192.168.0.1")])
        world.upsert(
            .pod("p", at: "10.1.0.1", labels: "v=1"),
            .networkSet("s", nets: "20.0.0.0/8"),
            .service("s", at: "172.20.0.1", ports: [.init(port: 80)]),
            .endpoints("s", of: "s", at: "10.1.0.1", port: 80)
        )
        let before = world.inventory.snapshot()
        world.inventory.replaceOwnAddresses(with: [])
        world.upsert(.pod("p", at: "10.1.0.2", labels: "v=2"))
        world.delete(.globalNetworkSet, "s")
        world.delete(.service, "s", in: "shop")
        world.delete(.endpointSlice, "s", in: "shop")
        world.wait(seconds: 20)
        let after = world.inventory.snapshot()
        #expect(before.isOwn(ip("192.168.0.1")) && !after.isOwn(ip("192.168.0.1")))
        #expect(before.endpoint(at: ip("10.1.0.1")).text == "wep shop/p p [v=1]")
        #expect(after.endpoint(at: ip("10.1.0.1")).text == "net - pvt")
        #expect(before.endpoint(at: ip("10.1.0.2")).text == "net - pvt")
        #expect(before.endpoint(at: ip("20.0.0.1")).kind == .networkSet)
        #expect(before.service(at: ip("172.20.0.1"), port: 80, proto: .tcp) != nil)
        #expect(before.isServiceBackend(ip("10.1.0.1"), port: 80, proto: .tcp))
        #expect(!after.isServiceBackend(ip("10.1.0.1"), port: 80, proto: .tcp))
    }

    @Test func generationGrowsOnlyWithAChange() {
        var world = TestWorld()
        var last = world.inventory.snapshot().generation
        func grew(_ change: (inout TestWorld) -> Void) -> Bool {
            change(&world)
            let generation = world.inventory.snapshot().generation
            defer { last = generation }
            return generation > last
        }
        #expect(!grew { _ in })
        #expect(grew { $0.inventory.replaceOwnAddresses(with: [ip("192.168.0.1")]) })
        #expect(!grew { $0.inventory.replaceOwnAddresses(with: [ip("192.168.0.1")]) })
        #expect(grew { $0.inventory.expectsWorkloads = true })
        #expect(!grew { $0.inventory.expectsWorkloads = true })
        #expect(grew { $0.upsert(.pod("p", at: "10.1.0.1")) })
        #expect(!grew { $0.upsert(.pod("p", at: "10.1.0.1")) })
        #expect(!grew { $0.upsert(.pod("ended", at: "10.1.0.7", phase: .ended)) })
        #expect(grew { $0.delete(.pod, "p", in: "shop") })
        #expect(!grew { $0.wait(seconds: 5) })
        #expect(grew { $0.wait(seconds: 5) })
        #expect(grew { $0.upsert(.networkSet("s", nets: "20.0.0.0/8")) })
        #expect(!grew { $0.upsert(.networkSet("s", nets: "20.0.0.0/8")) })
        #expect(grew { $0.upsert(.service("s", at: "172.20.0.1", ports: [.init(port: 80)])) })
        #expect(!grew { $0.upsert(.service("s", at: "172.20.0.1", ports: [.init(port: 80)])) })
        #expect(grew { $0.upsert(.endpoints("s", of: "s", at: "10.1.0.1", port: 80)) })
        #expect(!grew { $0.upsert(.endpoints("s", of: "s", at: "10.1.0.1", port: 80)) })
        #expect(!grew { $0.upsert(.namespace(Namespace(metadata: ObjectMetadata(name: "shop")))) })
    }

    @Test func snapshotsShareNetworkEndpoints() {
        var world = TestWorld()
        let before = world.inventory.snapshot()
        world.upsert(.pod("p", at: "10.1.0.1"))
        let after = world.inventory.snapshot()
        for address in ["10.9.9.9", "1.1.1.1"] {
            #expect(before.endpoint(at: ip(address)) === after.endpoint(at: ip(address)))
        }
        #expect(before.endpoint(at: ip("10.9.9.9")).object != before.endpoint(at: ip("1.1.1.1")).object)
    }
}
