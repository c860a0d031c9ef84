import FlowModel
import Testing

@testable import FlowLog

@Suite struct EndpointTableTests {
    private static func pod(_ id: UInt32, _ name: String, namespace: String? = "shop") -> Endpoint {
        Endpoint(id: id, kind: .workload, name: name, aggregatedName: "web-*", namespace: namespace)
    }

    @Test func likePodsAreOneUnlessNamesCount() {
        var table = EndpointTable()
        let first = Self.pod(1, "web-a")
        let second = Self.pod(2, "web-b")
        #expect(table.acquire(first, named: false) == table.acquire(second, named: false))
        #expect(table.acquire(first, named: true) != table.acquire(second, named: true))
        #expect(table.count == 3)
    }

    @Test(
        arguments: [
            Endpoint(id: 2, kind: .networkSet, name: "web-a", aggregatedName: "web-*", namespace: "shop"),
            Endpoint(id: 2, kind: .workload, name: "web-a", aggregatedName: "api-*", namespace: "shop"),
            Endpoint(id: 2, kind: .workload, name: "web-a", aggregatedName: "web-*", namespace: "bank"),
            Endpoint(id: 2, kind: .workload, name: "web-a", aggregatedName: "web-*", namespace: nil),
        ]
    )
    func everyPartOfTheIdentityCounts(other: Endpoint) {
        var table = EndpointTable()
        #expect(table.acquire(Self.pod(1, "web-a"), named: false) != table.acquire(other, named: false))
    }

    @Test func theEndpointMadeLastStandsForAll() {
        var table = EndpointTable()
        let old = Self.pod(1, "web-a")
        let new = Self.pod(2, "web-a")
        let number = table.acquire(old, named: true)
        #expect(table.acquire(new, named: true) == number)
        #expect(table[number] === new)
        table.forgetRecent()
        #expect(table.acquire(old, named: true) == number)
        #expect(table[number] === new)
    }

    @Test func aFreedNumberStandsForItsNextEndpoint() {
        var table = EndpointTable()
        let first = Self.pod(9, "web-a")
        let second = Self.pod(3, "web-b")
        let number = table.acquire(first, named: true)
        table.release(number)
        #expect(table.count == 0)
        #expect(table.acquire(second, named: true) == number)
        #expect(table[number] === second)
        #expect(table.acquire(first, named: true) != number)
    }
}
