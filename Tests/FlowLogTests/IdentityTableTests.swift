import FlowModel
import Testing

@testable import FlowLog

@Suite struct IdentityTableTests {
    private static func pod(_ name: String, namespace: String? = "shop") -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: "web-*", namespace: namespace)
    }

    @Test func similarPodsShareANumberUnlessInDetail() {
        var table = IdentityTable<Endpoint>()
        let first = Self.pod("web-a")
        let second = Self.pod("web-b")
        #expect(table.acquire(first, inDetail: false) == table.acquire(second, inDetail: false))
        #expect(table.acquire(first, inDetail: true) != table.acquire(second, inDetail: true))
        #expect(table.count == 3)
    }

    @Test(
        arguments: [
            Endpoint(kind: .networkSet, name: "web-a", aggregatedName: "web-*", namespace: "shop"),
            Endpoint(kind: .workload, name: "web-a", aggregatedName: "api-*", namespace: "shop"),
            Endpoint(kind: .workload, name: "web-a", aggregatedName: "web-*", namespace: "bank"),
            Endpoint(kind: .workload, name: "web-a", aggregatedName: "web-*", namespace: nil),
        ]
    )
    func distinguishesEndpointsByEachField(other: Endpoint) {
        var table = IdentityTable<Endpoint>()
        #expect(table.acquire(Self.pod("web-a"), inDetail: false) != table.acquire(other, inDetail: false))
    }

    @Test(
        arguments: [
            (ServicePort(namespace: "shop", name: "web", portName: "http", port: 80), true, true),
            (ServicePort(namespace: "shop", name: "web", portName: "http2", port: 80), false, true),
            (ServicePort(namespace: "shop", name: "web", portName: nil, port: 80), false, true),
            (ServicePort(namespace: "shop", name: "web", portName: "http", port: 8080), false, false),
            (ServicePort(namespace: "shop", name: "api", portName: "http", port: 80), false, false),
            (ServicePort(namespace: "bank", name: "web", portName: "http", port: 80), false, false),
        ]
    )
    func distinguishesServicesByEachField(other: ServicePort, isOne: Bool, isOneWithoutPortName: Bool) {
        var table = IdentityTable<ServicePort>()
        let service = ServicePort(namespace: "shop", name: "web", portName: "http", port: 80)
        #expect((table.acquire(service, inDetail: true) == table.acquire(other, inDetail: true)) == isOne)
        let folded = table.acquire(service, inDetail: false) == table.acquire(other, inDetail: false)
        #expect(folded == isOneWithoutPortName)
    }

    /// Traces of forwarded traffic are apart from those of ends, also without hits.
    @Test(
        arguments: [
            (PolicyTrace(action: .allow, transit: []), true),
            (PolicyTrace(action: .allow, transit: ["0|a|b|allow|0"]), false),
            (PolicyTrace(action: .allow, enforced: [], pending: []), false),
            (PolicyTrace(action: .allow, enforced: ["0|a|b|allow|0"], pending: []), false),
        ]
    )
    func distinguishesPolicyTracesByKindAndHits(other: PolicyTrace, isOne: Bool) {
        var table = IdentityTable<PolicyTrace>()
        let first = table.acquire(PolicyTrace(action: .allow, transit: []), inDetail: true)
        #expect((table.acquire(other, inDetail: true) == first) == isOne)
    }

    @Test func keepsNewestOfEqualObjects() {
        var table = IdentityTable<Endpoint>()
        let old = Self.pod("web-a")
        let new = Self.pod("web-a")
        let number = table.acquire(old, inDetail: true)
        #expect(table.acquire(new, inDetail: true) == number)
        #expect(table[number] === new)
        table.forgetRecent()
        #expect(table.acquire(old, inDetail: true) == number)
        #expect(table[number] === new)
    }

    @Test func reusesFreedNumberForNextObject() {
        var table = IdentityTable<Endpoint>()
        let second = Self.pod("web-b")
        let first = Self.pod("web-a")
        let number = table.acquire(first, inDetail: true)
        table.release(number)
        #expect(table.count == 0)
        #expect(table.acquire(second, inDetail: true) == number)
        #expect(table[number] === second)
        #expect(table.acquire(first, inDetail: true) != number)
    }
}
