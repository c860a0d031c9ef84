import FlowModel
import Testing

@testable import Names

@Suite("The DNS log")
struct DNSLogTests {
    /// Resolves two pods of one Deployment and a server.
    private struct Owners: EndpointResolver {
        let generation: UInt64 = 1
        static let pods = (2...3).map {
            Endpoint(
                kind: .workload,
                name: "web-7d-\($0)",
                aggregatedName: "web-7d-*",
                namespace: "shop",
                labels: LabelSet(sorted: ["app=web", "pod=\($0)"])
            )
        }
        static let server = Endpoint(
            kind: .workload,
            name: "coredns-1",
            aggregatedName: "coredns-*",
            namespace: "kube-system"
        )
        static let world = Endpoint(kind: .network, name: "-", aggregatedName: "pvt")

        private func owner(_ address: IPAddress) -> Endpoint {
            switch address {
            case DNSLogTests.first: Self.pods[0]
            case DNSLogTests.second: Self.pods[1]
            case DNSLogTests.server: Self.server
            default: Self.world
            }
        }

        func endpoints(source: IPAddress, destination: IPAddress) -> (source: Endpoint, destination: Endpoint) {
            (owner(source), owner(destination))
        }

        func refreshed(_ endpoint: Endpoint, at address: IPAddress) -> Endpoint { endpoint }
        func network(of address: IPAddress) -> Endpoint { Self.world }
        func isOwn(_ address: IPAddress) -> Bool { false }
        func isLocalWorkload(_ address: IPAddress) -> Bool { false }
        func mayBecomeKnown(_ address: IPAddress) -> Bool { false }
        func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort? { nil }
        func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool { false }
        var hasUncoveredServices: Bool { false }
    }

    private static let first = IPAddress(10, 77, 0, 2)
    private static let second = IPAddress(10, 77, 0, 3)
    private static let server = IPAddress(10, 96, 0, 10)

    private static func lookup(
        _ bytes: [UInt8],
        client: IPAddress = first,
        interface: UInt32 = 5,
        server: IPAddress = server,
        latency: UInt64 = 1000
    ) throws -> DomainTracker.Lookup {
        let packet = DNSPacket(
            interfaceIndex: interface,
            client: client,
            clientPort: 40_000,
            server: server,
            isResponse: true,
            time: 1,
            bytes: bytes
        )
        return DomainTracker.Lookup(packet: packet, message: try #require(DNSMessage(bytes)), latency: latency)
    }

    private static func answer(_ addresses: [UInt8], name: String = "www.example.com") -> [UInt8] {
        let records = addresses.map { DNSBytes.record([0xc0, 12], type: 1, data: [192, 0, 2, $0]) }
        return DNSBytes(questions: [DNSBytes.question(name)], answers: records).bytes
    }

    private static func records(_ log: inout DNSLog, at end: Int64 = 400) -> [DNSRecord] {
        var records: [DNSRecord] = []
        log.endInterval(at: end) { records.append($0) }
        return records
    }

    @Test func similarLookupsShareOneRecord() throws {
        var log = DNSLog(start: 100)
        // Two pods of one Deployment query two servers, which return the addresses in different orders.
        log.add(try Self.lookup(Self.answer([2, 1]), latency: 1000), by: Owners())
        log.add(try Self.lookup(Self.answer([1, 2]), client: Self.second, interface: 6, latency: 2001), by: Owners())
        log.add(try Self.lookup(Self.answer([1, 2]), server: IPAddress(10, 0, 0, 9), latency: 5), by: Owners())
        let records = Self.records(&log)
        let record = try #require(records.first)
        #expect(records.count == 1 && record.isLogged && record.count == 3)
        #expect(record.startTime == 100 && record.endTime == 400)
        #expect(record.client?.aggregatedName == "web-7d-*" && record.clientAddress == nil)
        #expect(record.client?.labels?.labels == ["app=web"])
        #expect(record.name == "www.example.com" && record.type == "A" && record.recordClass == "IN")
        #expect(record.responseCode == "NoError")
        let set = DNSRecord.RecordSet(
            name: "www.example.com",
            type: "A",
            recordClass: "IN",
            data: ["192.0.2.1", "192.0.2.2"]
        )
        #expect(record.sets == [set])
        #expect(record.servers.map(\.address) == [IPAddress(10, 0, 0, 9), Self.server])
        #expect(record.latency.count == 3 && record.latency.mean == 1002 && record.latency.largest == 2001)
        // The next interval starts empty at the end of this one.
        #expect(Self.records(&log, at: 500).isEmpty)
        log.add(try Self.lookup(Self.answer([1])), by: Owners())
        #expect(Self.records(&log, at: 600).map(\.startTime) == [500])
    }

    @Test func separatesClientsAndResults() throws {
        var log = DNSLog(detail: .client, start: 100)
        for client in [Self.first, Self.second] {
            log.add(try Self.lookup(Self.answer([1]), client: client), by: Owners())
        }
        log.add(try Self.lookup(DNSBytes.response("no.example", [1, 1, 1, 1], flags: 0x8183)), by: Owners())
        let records = Self.records(&log)
        #expect(records.map(\.name) == ["no.example", "www.example.com", "www.example.com"])
        #expect(records.map(\.responseCode) == ["NXDomain", "NoError", "NoError"])
        #expect(Set(records.compactMap(\.clientAddress)) == [Self.first, Self.second])
    }

    /// The limit counts decoded texts, so that fewer messages with pointers to long names fit than short messages.
    @Test func limitCountsDecodedTexts() throws {
        let limit = 1 << 20
        var log = DNSLog(limit: limit, start: 100)
        let tail = (0..<62).flatMap { _ in [1, 1] as [UInt8] }
        for number in 0..<500 {
            let name = [3] + Array("\(100 + number)".utf8) + tail + [0]
            let records = (0..<70).map { _ in DNSBytes.record([0xc0, 16], type: 2, data: [0xc0, 16]) }
            log.add(try Self.lookup(DNSBytes(questions: [name + [0, 2, 0, 1]], answers: records).bytes), by: Owners())
        }
        let records = Self.records(&log).filter(\.isLogged)
        let texts = records.flatMap { record in [record.name] + record.sets.flatMap { [$0.name] + $0.data } }
            .reduce(0) { $0 + $1.utf8.count }
        // One client can use half of the limit.
        #expect(records.count > 10 && texts > limit / 4 && texts <= limit / 2)
    }

    /// A client that queries many names fills the shared half of the log; another client is still logged.
    @Test func oneClientCannotFillLogForOthers() throws {
        var log = DNSLog(limit: 100_000, start: 100)
        for number in 0..<1000 {
            log.add(try Self.lookup(Self.answer([1], name: "\(number).example")), by: Owners())
        }
        for number in 0..<10 {
            let bytes = Self.answer([1], name: "\(number).other")
            log.add(try Self.lookup(bytes, client: Self.second, interface: 6), by: Owners())
        }
        // Another lookup of a logged name needs no further memory.
        log.add(try Self.lookup(Self.answer([1], name: "0.example")), by: Owners())
        let records = Self.records(&log)
        #expect(records.count { $0.name.hasSuffix(".other") } == 10)
        #expect(records.first { $0.name == "0.example" }?.count == 2)
        let unlogged = try #require(records.last)
        #expect(!unlogged.isLogged && records.count { !$0.isLogged } == 1)
        #expect(records.reduce(0) { $0 + $1.count } == 1011)
    }
}
