import FlowModel
import Testing

@testable import Inventory

@Suite struct HostInventoryTests {
    private static let own = IPAddress(10, 0, 0, 1)
    private static let other = IPAddress(10, 0, 0, 2)

    @Test func ownAddressIsTheHost() {
        var inventory = HostInventory(hostName: "node-1")
        inventory.add(Self.own)
        let endpoint = inventory.snapshot().endpoint(at: Self.own)
        #expect(endpoint.kind == .host)
        #expect(endpoint.name == "node-1")
        #expect(endpoint.aggregatedName == "node-1")
        #expect(endpoint.namespace == nil)
        #expect(endpoint.labels == nil)
        #expect(inventory.snapshot().isOwn(Self.own))
        #expect(!inventory.snapshot().isOwn(Self.other))
    }

    @Test(
        arguments: [
            (IPAddress(9, 255, 255, 255), "pub"),
            (IPAddress(10, 0, 0, 0), "pvt"),
            (IPAddress(10, 255, 255, 255), "pvt"),
            (IPAddress(11, 0, 0, 0), "pub"),
            (IPAddress(172, 15, 255, 255), "pub"),
            (IPAddress(172, 16, 0, 0), "pvt"),
            (IPAddress(172, 31, 255, 255), "pvt"),
            (IPAddress(172, 32, 0, 0), "pub"),
            (IPAddress(192, 167, 255, 255), "pub"),
            (IPAddress(192, 168, 0, 0), "pvt"),
            (IPAddress(192, 168, 255, 255), "pvt"),
            (IPAddress(192, 169, 0, 0), "pub"),
            (IPAddress(0, 0, 0, 0), "pub"),
            (IPAddress(100, 64, 0, 1), "pub"),
            (IPAddress(127, 0, 0, 1), "pub"),
            (IPAddress(169, 254, 0, 1), "pub"),
            (IPAddress(255, 255, 255, 255), "pub"),
            // ::, a unique local, a link-local and a global address; one whose last bytes look private.
            (IPAddress(ipv6High: 0, low: 0), "pub"),
            (IPAddress(ipv6High: 0xfd00_0000_0000_0000, low: 1), "pub"),
            (IPAddress(ipv6High: 0xfe80_0000_0000_0000, low: 1), "pub"),
            (IPAddress(ipv6High: 0x2001_0db8_0000_0000, low: 1), "pub"),
            (IPAddress(ipv6High: 0x0064_ff9b_0000_0000, low: 0x0a00_0001), "pub"),
        ]
    )
    func everythingElseIsTheNetwork(address: IPAddress, aggregatedName: String) {
        let endpoint = HostInventory(hostName: "node-1").snapshot().endpoint(at: address)
        #expect(endpoint.kind == .network)
        #expect(endpoint.name == "-")
        #expect(endpoint.aggregatedName == aggregatedName)
        #expect(endpoint.namespace == nil)
    }

    @Test func generationGrowsOnlyWithAChange() {
        var inventory = HostInventory(hostName: "node-1")
        var last = inventory.snapshot().generation
        func grew() -> Bool {
            defer { last = inventory.snapshot().generation }
            return inventory.snapshot().generation > last
        }
        inventory.remove(Self.own)
        #expect(!grew())
        inventory.add(Self.own)
        #expect(grew())
        inventory.add(Self.own)
        #expect(!grew())
        inventory.add(Self.other)
        #expect(grew())
        inventory.remove(Self.own)
        #expect(grew())
        inventory.hostName = "node-1"
        #expect(!grew())
        inventory.hostName = "node-2"
        #expect(grew())
    }

    @Test func snapshotDoesNotChange() {
        var inventory = HostInventory(hostName: "node-1")
        inventory.add(Self.own)
        let before = inventory.snapshot()
        inventory.remove(Self.own)
        inventory.hostName = "node-2"
        #expect(before.isOwn(Self.own))
        #expect(before.endpoint(at: Self.own).name == "node-1")
        #expect(!inventory.snapshot().isOwn(Self.own))
    }

    @Test func endpointsAreMadeOnce() {
        var inventory = HostInventory(hostName: "node-1")
        inventory.add(Self.own)
        let before = inventory.snapshot()
        inventory.add(Self.other)
        let after = inventory.snapshot()
        #expect(before.endpoint(at: Self.own) === after.endpoint(at: Self.own))
        #expect(after.endpoint(at: Self.other) === after.endpoint(at: Self.own))
        let (pvt, pub) = (IPAddress(10, 9, 9, 9), IPAddress(1, 1, 1, 1))
        #expect(before.endpoint(at: pvt) === after.endpoint(at: pvt))
        #expect(before.endpoint(at: pub) === after.endpoint(at: pub))
    }

    @Test func everyEndpointHasItsOwnNumber() {
        var inventory = HostInventory(hostName: "node-1")
        inventory.add(Self.own)
        let first = inventory.snapshot()
        inventory.hostName = "node-2"
        let second = inventory.snapshot()
        let others = HostInventory(hostName: "node-1").snapshot()
        let endpoints = [
            first.endpoint(at: Self.own), second.endpoint(at: Self.own),
            first.endpoint(at: IPAddress(10, 9, 9, 9)), first.endpoint(at: IPAddress(1, 1, 1, 1)),
            others.endpoint(at: IPAddress(10, 9, 9, 9)), others.endpoint(at: IPAddress(1, 1, 1, 1)),
        ]
        #expect(Set(endpoints.map(\.id)).count == endpoints.count)
    }
}
