import ClusterModel
import FlowModel
import Inventory
import Testing

@Suite struct ServiceTests {
    private static let web = Service.Port(name: "http", port: 80, nodePort: 30_080)
    private static let plain = Service.Port(port: 53, proto: .udp)

    private static func world() -> TestWorld {
        var world = TestWorld()
        world.inventory.replaceOwnAddresses(with: [ip("192.168.0.1")])
        world.upsert(
            .node("node-2", at: "192.168.0.2"),
            .pod("p", at: "10.1.0.1"),
            .hostEndpoint("eth0", on: "node-3", at: "192.168.0.3"),
            .service("cart", at: "172.20.0.1", "203.0.113.1", "fd00::20", ports: [web, plain]),
            .service("headless", ports: [.init(name: "http", port: 8_080)]),
            // The same external address, other ports; and one that is the same.
            .service("left", at: "203.0.113.9", ports: [.init(name: "a", port: 1), .init(name: "same", port: 9)]),
            .service(
                "right",
                in: "b",
                at: "203.0.113.9",
                ports: [.init(name: "b", port: 2), .init(name: "same", port: 9)]
            ),
            .service("mixed", in: "c", at: "203.0.113.8", ports: [.init(name: "x", port: 5)]),
            .service("mixed", in: "d", at: "203.0.113.8", ports: [.init(port: 5)]),
            // This service's own port is a node port of another service.
            .service("direct", at: "192.168.0.2", ports: [.init(name: "own", port: 30_080)])
        )
        return world
    }

    @Test(
        arguments: [
            ("172.20.0.1", 80, IPProtocol.tcp, "shop/cart http 80"),
            ("203.0.113.1", 80, .tcp, "shop/cart http 80"),
            ("fd00::20", 80, .tcp, "shop/cart http 80"),
            ("172.20.0.1", 53, .udp, "shop/cart - 53"),
            ("172.20.0.1", 53, .tcp, nil),
            ("172.20.0.1", 80, .udp, nil),
            ("172.20.0.2", 80, .tcp, nil),
            ("172.20.0.1", 30_080, .tcp, nil),
            ("172.20.0.1", 8_080, .tcp, nil),
            // Node ports: this host, a node, a HostEndpoint; not a pod, not the rest.
            ("192.168.0.1", 30_080, .tcp, "shop/cart http 30080"),
            ("192.168.0.3", 30_080, .tcp, "shop/cart http 30080"),
            ("192.168.0.1", 30_080, .udp, nil),
            ("10.1.0.1", 30_080, .tcp, nil),
            ("8.8.8.8", 30_080, .tcp, nil),
            // An address of a service takes precedence over a node port.
            ("192.168.0.2", 30_080, .tcp, "shop/direct own 30080"),
            // Several services.
            ("203.0.113.9", 1, .tcp, "shop/left a 1"),
            ("203.0.113.9", 2, .tcp, "b/right b 2"),
            ("203.0.113.9", 9, .tcp, "*/* same 9"),
            ("203.0.113.8", 5, .tcp, "*/* * 5"),
        ] as [(String, UInt16, IPProtocol, String?)]
    )
    func findsServiceByAddressAndPort(address: String, port: UInt16, proto: IPProtocol, expected: String?) {
        var world = Self.world()
        #expect(world.inventory.snapshot().service(at: ip(address), port: port, proto: proto)?.text == expected)
    }

    private static func cart(
        _ world: inout TestWorld,
        _ address: String = "172.20.0.1",
        _ port: UInt16 = 80
    ) -> ServicePort? {
        world.inventory.snapshot().service(at: ip(address), port: port, proto: .tcp)
    }

    @Test func servicePortStaysSameIfShownFieldsDo() {
        var world = Self.world()
        let before = Self.cart(&world)
        // Another address, another port, another number of the node port: the shown fields of this port stay.
        let ports = [Service.Port(name: "http", port: 80), Service.Port(name: "x", port: 1)]
        world.upsert(.service("cart", at: "172.20.0.1", "203.0.113.2", ports: ports))
        #expect(Self.cart(&world) === before)
        #expect(Self.cart(&world, "203.0.113.2") === before)
        #expect(Self.cart(&world, "203.0.113.1") == nil)
        #expect(Self.cart(&world, "192.168.0.1", 30_080) == nil)
        world.upsert(.service("cart", at: "172.20.0.1", ports: [.init(name: "https", port: 80)]))
        #expect(Self.cart(&world)?.text == "shop/cart https 80")
    }

    @Test func sharedServicePortStaysSameWhileShared() {
        var world = Self.world()
        let before = Self.cart(&world, "203.0.113.9", 9)
        let ports = [Service.Port(name: "a", port: 1), Service.Port(name: "same", port: 9)]
        world.upsert(.service("left", at: "203.0.113.9", "203.0.113.10", ports: ports))
        #expect(Self.cart(&world, "203.0.113.9", 9) === before)
        world.delete(.service, "left", in: "shop")
        #expect(Self.cart(&world, "203.0.113.9", 9)?.text == "b/right same 9")
    }

    @Test func sameServiceFromTwoSourcesIsOne() {
        var world = Self.world()
        world.upsert(.service("cart", at: "172.20.0.1", ports: [Self.web]), from: TestWorld.other)
        #expect(Self.cart(&world)?.text == "shop/cart http 80")
        #expect(Self.cart(&world, "192.168.0.1", 30_080)?.text == "shop/cart http 30080")
        world.delete(.service, "cart", in: "shop")
        #expect(Self.cart(&world)?.text == "shop/cart http 80")
        world.delete(.service, "cart", in: "shop", from: TestWorld.other)
        #expect(Self.cart(&world) == nil)
    }

    @Test func deletedServicesLeaveNoPorts() {
        var world = Self.world()
        for (name, namespace) in [
            ("cart", "shop"), ("headless", "shop"), ("left", "shop"), ("right", "b"), ("mixed", "c"), ("mixed", "d"),
            ("direct", "shop"),
        ] {
            world.delete(.service, name, in: namespace)
        }
        let statistics = world.inventory.statistics
        #expect(statistics.servicePorts == 0 && statistics.nodePorts == 0 && statistics.count(.service) == 0)
    }

    @Test func anotherUIDIsAnotherService() {
        var world = TestWorld()
        world.upsert(.service("s", at: "172.20.0.1", ports: [Self.web], uid: "u1"))
        world.upsert(.service("s", at: "172.20.0.2", ports: [Self.web], uid: "u2"))
        world.delete(.service, "s", in: "shop", uid: "u1")
        #expect(Self.cart(&world) == nil)
        #expect(Self.cart(&world, "172.20.0.2")?.text == "shop/s http 80")
    }

    @Test func limitsPortsAndBackendsOfOneObject() {
        var world = TestWorld()
        let ports = (1...1_000).map { Service.Port(port: UInt16($0)) }
        let addresses = (0..<1_000).map { IPAddress(ipv4: 0xac14_0000 + UInt32($0)) }
        let metadata = ObjectMetadata(name: "huge", namespace: "shop")
        world.upsert(.service(Service(metadata: metadata, addresses: addresses, ports: ports)))
        world.upsert(
            .serviceEndpoints(
                ServiceEndpoints(
                    kind: .endpoints,
                    metadata: metadata,
                    service: "huge",
                    groups: [.init(addresses: addresses, ports: ports.map { NamedPort(port: $0.port) })]
                )
            )
        )
        let statistics = world.inventory.statistics
        #expect(statistics.oversizedObjects == 2)
        #expect(statistics.servicePorts == 65_000)
        #expect(statistics.backends == 65_536)
        world.delete(.service, "huge", in: "shop")
        world.delete(.endpoints, "huge", in: "shop")
        #expect(world.inventory.statistics.servicePorts == 0)
        #expect(world.inventory.statistics.backends == 0)
    }
}

@Suite struct BackendTests {
    private static func isBackend(_ world: inout TestWorld, _ address: String, _ port: UInt16 = 8_080) -> Bool {
        world.inventory.snapshot().isServiceBackend(ip(address), port: port, proto: .tcp)
    }

    @Test func mergesSlicesAndEndpoints() {
        var world = TestWorld()
        world.upsert(.endpoints("cart-1", of: "cart", at: "10.1.0.1", "10.1.0.2", port: 8_080))
        world.upsert(.endpoints("cart", of: "cart", at: "10.1.0.2", "10.1.0.3", port: 8_080, kind: .endpoints))
        #expect(["10.1.0.1", "10.1.0.2", "10.1.0.3"].allSatisfy { Self.isBackend(&world, $0) })
        #expect(!Self.isBackend(&world, "10.1.0.1", 80))
        #expect(!world.inventory.snapshot().isServiceBackend(ip("10.1.0.1"), port: 8_080, proto: .udp))
        world.delete(.endpointSlice, "cart-1", in: "shop")
        #expect(!Self.isBackend(&world, "10.1.0.1") && Self.isBackend(&world, "10.1.0.2"))
        world.delete(.endpoints, "cart", in: "shop")
        #expect(!Self.isBackend(&world, "10.1.0.2"))
        #expect(world.inventory.statistics.backends == 0)
    }

    @Test func backendStaysUntilItsLastServiceIsDeleted() {
        var world = TestWorld()
        for number in 1...5 { world.upsert(.endpoints("s\(number)", of: "s\(number)", at: "10.1.0.1", port: 8_080)) }
        for number in [3, 1, 5, 2] {
            world.delete(.endpointSlice, "s\(number)", in: "shop")
            #expect(Self.isBackend(&world, "10.1.0.1"))
        }
        world.delete(.endpointSlice, "s4", in: "shop")
        #expect(!Self.isBackend(&world, "10.1.0.1"))
    }

    @Test func changedSliceRemovesFormerBackends() {
        var world = TestWorld()
        world.upsert(.endpoints("s", of: "s", at: "10.1.0.1", "10.1.0.2", port: 8_080))
        world.upsert(.endpoints("s", of: "s", at: "10.1.0.2", "10.1.0.3", port: 8_080))
        #expect(!Self.isBackend(&world, "10.1.0.1"))
        #expect(Self.isBackend(&world, "10.1.0.2") && Self.isBackend(&world, "10.1.0.3"))
        world.upsert(.endpoints("s", of: "other", at: "10.1.0.3", port: 8_080))
        #expect(!Self.isBackend(&world, "10.1.0.2") && Self.isBackend(&world, "10.1.0.3"))
        world.upsert(.endpoints("s", of: nil, at: "10.1.0.3", port: 8_080))
        #expect(!Self.isBackend(&world, "10.1.0.3"))
    }
}
