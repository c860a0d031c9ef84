import CWeir
import FlowModel
import Testing

@testable import Datapath

extension KernelTests {
    /// An IPv4-mapped address in an IPv6 packet belongs to no endpoint.
    @Suite("Mapped addresses")
    struct MappedAddressTests {
        private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        private static let ipv4 = Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 10)))

        private static func ipv6(source: [UInt8], destination: [UInt8]) -> [UInt8] {
            Frame.inIPv6(Frame.ipv6(17, Frame.udp(payload: 30), source: source, destination: destination))
        }

        /// The same addresses and ports in both versions, in whichever order they come.
        @Test(arguments: [false, true])
        func mappedAddressesMakeSeparateIPv6Flow(_ isIPv6First: Bool) throws {
            let counter = try TestRunCounter.fresh()
            let forged = Self.ipv6(
                source: Self.mapped + Frame.client4,
                destination: Self.mapped + Frame.server4
            )
            for frame in isIPv6First ? [forged, Self.ipv4] : [Self.ipv4, forged] { try counter.run(frame) }
            let batch = try counter.scan()
            #expect(batch.births.count == 2)
            let keys = Dictionary(uniqueKeysWithValues: batch.births.map { ($0.flowID, $0.key) })
            let bytes = Dictionary(uniqueKeysWithValues: batch.deltas.map { ($0.flowID, $0.ingress.bytes) })
            for (number, key) in keys {
                let isIPv4 = key.near == IPAddress(10, 0, 0, 1)
                #expect(bytes[number] == (isIPv4 ? 38 : 78))
                #expect(key.near.isIPv4 == isIPv4 && key.far.isIPv4 == isIPv4)
                #expect(key.near.description == (isIPv4 ? "10.0.0.1" : "::ffff:10.0.0.1"))
                #expect(key.far.description == (isIPv4 ? "10.0.0.2" : "::ffff:10.0.0.2"))
            }
            #expect(Set(keys.values).count == 2)
        }

        /// One end mapped, the other one not, as a spoofed source would be.
        @Test func mappedSourceIsNotIPv4Address() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.ipv6(source: Self.mapped + Frame.client4, destination: Frame.server6))
            let key = try #require(try counter.scan().births.first?.key)
            #expect(key.near != IPAddress(10, 0, 0, 1))
            #expect(key.near != IPAddress("::ffff:10.0.0.1"))
            #expect(key.near.ipv4 == nil)
            #expect(key.near.isMappedIPv6 && !key.far.isMappedIPv6)
            #expect(key.far == IPAddress("2001:db8::2"))
        }
    }
}

/// Netlink messages carry mapped addresses unchanged.
@Suite("Mapped addresses in netlink")
struct MappedNetlinkTests {
    @Test func mappedAddressRoundTrips() throws {
        let bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]
        let address = try #require(NetlinkBytes(bytes).address(0..<16))
        #expect(address.isMappedIPv6 && address.ipv4 == nil)
        var writer = NetlinkWriter()
        writer.attribute(1, address)
        #expect(Array(writer.bytes.suffix(16)) == bytes)
    }
}
