import FlowModel
import Testing

@testable import Names

@Suite("Names of addresses")
struct DomainTrackerTests {
    private static let client = IPAddress(10, 77, 0, 2)
    private static let pod = DomainClient.workload(interface: 5)
    private static let otherPod = DomainClient.workload(interface: 6)
    private static let other = IPAddress(10, 77, 0, 3)
    private static let server = IPAddress(10, 96, 0, 10)
    private static let answer = IPAddress(192, 0, 2, 1)
    private static let second: UInt64 = 1_000_000_000

    private static func packet(
        _ bytes: [UInt8],
        isResponse: Bool,
        time: UInt64 = second,
        interface: UInt32 = 5,
        client: IPAddress = client,
        port: UInt16 = 40_000,
        server: IPAddress = server
    ) -> DNSPacket {
        DNSPacket(
            interfaceIndex: interface,
            client: client,
            clientPort: port,
            server: server,
            isResponse: isResponse,
            time: time,
            bytes: bytes
        )
    }

    private static let query = packet(DNSBytes.query("www.example.com"), isResponse: false)
    private static let reply = DNSBytes.response("www.example.com", [192, 0, 2, 1])

    private static func markedAsForged(_ packet: DNSPacket) -> DNSPacket {
        var packet = packet
        packet.isForged = true
        return packet
    }

    @Test func clientGetsDomainOfItsLookup() {
        let tracker = DomainTracker()
        var latencies: [UInt64] = []
        let response = Self.packet(Self.reply, isResponse: true, time: Self.second + 2_000_000)
        tracker.process([Self.query, response]) { latencies.append($0.latency) }
        #expect(latencies == [2_000_000])
        #expect(tracker.domains(of: Self.answer, for: Self.pod) == ["www.example.com"])
        #expect(tracker.domains(of: Self.answer, for: Self.otherPod) == [])
        #expect(tracker.domains(of: Self.server, for: Self.pod) == [])
    }

    /// A forged answer: its wrong property, and its packet.
    static let forged: [(String, DNSPacket)] = [
        ("id", packet(DNSBytes.response("www.example.com", [192, 0, 2, 1], id: 0x1235), isResponse: true)),
        ("name", packet(DNSBytes.response("www.example.org", [192, 0, 2, 1]), isResponse: true)),
        ("port", packet(reply, isResponse: true, port: 40_001)),
        ("server", packet(reply, isResponse: true, server: IPAddress(10, 96, 0, 11))),
        ("client", packet(reply, isResponse: true, client: other)),
        ("interface", packet(reply, isResponse: true, interface: 6)),
        ("sender", markedAsForged(packet(reply, isResponse: true))),
        ("time: too late", packet(reply, isResponse: true, time: second * 12)),
        ("time: before the question", packet(reply, isResponse: true, time: second - 1)),
        ("direction: the client answers itself", packet(reply, isResponse: false)),
        ("form: no response", packet(DNSBytes.query("www.example.com"), isResponse: true)),
        ("form: no message", packet([1, 2, 3], isResponse: true)),
    ]

    @Test(arguments: forged)
    func forgedAnswerGivesNoDomain(what: String, packet: DNSPacket) {
        let tracker = DomainTracker()
        var lookups = 0
        tracker.process([Self.query, packet]) { _ in lookups += 1 }
        #expect(lookups == 0, "\(what)")
        for client in [Self.pod, Self.otherPod, .host] {
            #expect(tracker.domains(of: Self.answer, for: client) == [], "\(what)")
        }
        #expect(tracker.statistics.unasked + tracker.statistics.malformed == 1)
    }

    /// A pod with two addresses queries from one address for connections from the other.
    @Test func addressesOfOneClientShareDomains() {
        let tracker = DomainTracker()
        let six = IPAddress(ipv6High: 0xfd77 << 48, low: 2)
        tracker.process([
            Self.packet(DNSBytes.query("www.example.com"), isResponse: false, client: six),
            Self.packet(Self.reply, isResponse: true, client: six),
        ])
        #expect(tracker.domains(of: Self.answer, for: Self.pod) == ["www.example.com"])
    }

    @Test func acceptsOneAnswerPerQuery() {
        let tracker = DomainTracker()
        let forged = DNSBytes.response("www.example.com", [192, 0, 2, 66])
        tracker.process([
            Self.query, Self.packet(Self.reply, isResponse: true), Self.packet(forged, isResponse: true),
        ])
        #expect(tracker.domains(of: IPAddress(192, 0, 2, 66), for: Self.pod) == [])
        #expect(tracker.statistics.lookups == 1 && tracker.statistics.unasked == 1)
    }

    /// Resolvers may write a name in any case (draft-vixie-dnsext-dns0x20).
    @Test func ignoresCaseOfNames() {
        let tracker = DomainTracker()
        let mixed = Self.packet(DNSBytes.query("wWw.eXample.COM"), isResponse: false)
        tracker.process([mixed, Self.packet(Self.reply, isResponse: true)])
        #expect(tracker.domains(of: Self.answer, for: Self.pod) == ["www.example.com"])
    }

    private static func learn(_ tracker: DomainTracker, ttl: UInt32 = 1, at time: UInt64 = second) {
        let reply = DNSBytes.response("www.example.com", [192, 0, 2, 1], ttl: ttl)
        tracker.process([
            packet(DNSBytes.query("www.example.com"), isResponse: false, time: time),
            packet(reply, isResponse: true, time: time),
        ])
    }

    /// A name stays for at least 60 s, at least until the end of the interval, and as long as flows use it.
    @Test func nameExpiresWhenUnused() {
        let tracker = DomainTracker()
        func isKnown() -> Bool { !tracker.domains(of: Self.answer, for: Self.pod).isEmpty }
        Self.learn(tracker)
        // The interval in which the name was learned, longer than 60 s.
        tracker.endInterval(now: Self.second * 301)
        #expect(isKnown())
        // The name is used in this interval.
        tracker.endInterval(now: Self.second * 601)
        // The name is not used in this interval.
        tracker.endInterval(now: Self.second * 901)
        #expect(!isKnown())
        #expect(tracker.statistics.known == 0)
        Self.learn(tracker, ttl: 5, at: Self.second * 1000)
        tracker.endInterval(now: Self.second * 1001)
        tracker.endInterval(now: Self.second * 1059)
        #expect(isKnown())
    }

    /// The next workload may get the index of an interface that is gone; names and questions of the former are not its own.
    @Test func nameEndsWithItsInterface() {
        let tracker = DomainTracker()
        func domains() -> [String] { tracker.domains(of: Self.answer, for: Self.pod) }
        Self.learn(tracker, ttl: 86_400)
        tracker.process([Self.packet(DNSBytes.query("late.example"), isResponse: false)])
        tracker.forget(interfaces: [5, 7])
        // Records of the interval still have the names of its flows.
        #expect(domains() == ["www.example.com"])
        #expect(tracker.statistics.pending == 0)
        tracker.endInterval(now: Self.second * 2)
        #expect(domains() == [] && tracker.statistics.known == 0)
        // Another workload.
        Self.learn(tracker, ttl: 86_400, at: Self.second * 3)
        tracker.endInterval(now: Self.second * 4)
        #expect(domains() == ["www.example.com"])
    }

    /// Index and interval are the same: the next workload's first answer ends the names of the former.
    @Test func nextWorkloadOfAnIndexHasItsOwnNames() {
        let tracker = DomainTracker()
        Self.learn(tracker, ttl: 86_400)
        tracker.forget(interfaces: [5])
        let other = DNSBytes.response("www.example.org", [192, 0, 2, 2])
        tracker.process([
            Self.packet(DNSBytes.query("www.example.org"), isResponse: false), Self.packet(other, isResponse: true),
        ])
        for _ in 0..<2 {
            #expect(tracker.domains(of: Self.answer, for: Self.pod) == [])
            #expect(tracker.domains(of: IPAddress(192, 0, 2, 2), for: Self.pod) == ["www.example.org"])
            tracker.endInterval(now: Self.second * 2)
        }
    }

    /// Clients that are gone leave their room to others: no more addresses and bytes than the limits.
    @Test func goneClientsLeaveTheirRoom() {
        var known = KnownNames()
        for generation in 0..<4 as Range<UInt32> {
            let clients = (0..<20).map { DomainClient.workload(interface: 100 * generation + $0) }
            for client in clients {
                for number in 0..<UInt32(KnownNames.clientLimit) {
                    let address = IPAddress(ipv4: 0xc000_0000 | number)
                    known.learn("a.example", of: address, for: client, ttl: 86_400, now: 0)
                }
            }
            // Those that came when all room was taken have equal parts of it.
            #expect(known.count > KnownNames.limit * 9 / 10 && known.count < KnownNames.limit * 5 / 4)
            known.forget(Set(clients))
            known.endInterval(now: 1)
            #expect(known.count == 0 && known.bytes == 0)
        }
    }

    @Test func limitsPendingQueriesPerInterface() {
        let tracker = DomainTracker()
        // Many questions without an answer, each from another client's address.
        for number in 0..<5000 as Range<UInt32> {
            let client = IPAddress(ipv4: 0x0a00_0000 | number)
            tracker.process([
                Self.packet(DNSBytes.query("x.example"), isResponse: false, interface: 9, client: client)
            ])
        }
        #expect(tracker.statistics.pending == PendingQueries.interfaceLimit)
        #expect(tracker.statistics.refused == 5000 - UInt64(PendingQueries.interfaceLimit))
        Self.learn(tracker)
        #expect(!tracker.domains(of: Self.answer, for: Self.pod).isEmpty)
        // Pending queries expire.
        tracker.endInterval(now: Self.second * 20)
        #expect(tracker.statistics.pending == 0)
    }

    /// After many interfaces have reached the limit of pending queries, queries of another interface are still kept.
    @Test func manyInterfacesLeaveShareForAnother() {
        let tracker = DomainTracker()
        for interface in 100..<140 as Range<UInt32> {
            for port in 0..<UInt16(PendingQueries.interfaceLimit) {
                tracker.process([
                    Self.packet(DNSBytes.query("x.example"), isResponse: false, interface: interface, port: port)
                ])
            }
        }
        #expect(tracker.statistics.pending >= PendingQueries.limit)
        #expect(tracker.statistics.pending < PendingQueries.limit * 3 / 2)
        Self.learn(tracker)
        #expect(!tracker.domains(of: Self.answer, for: Self.pod).isEmpty)
    }

    @Test func limitsAddressesPerClientAndNamesPerAddress() {
        var known = KnownNames()
        for number in 0..<UInt32(KnownNames.clientLimit + 10) {
            let address = IPAddress(ipv4: 0xc000_0000 | number)
            known.learn("a.example", of: address, for: Self.pod, ttl: 1, now: 0)
        }
        #expect(known.count == KnownNames.clientLimit && known.refused == 10)
        for number in 0..<20 {
            known.learn("\(number).example", of: Self.answer, for: Self.otherPod, ttl: UInt32(100 + number), now: 0)
        }
        let names = known.names(of: Self.answer, for: Self.otherPod)
        #expect(names == (12..<20).map { "\($0).example" })
    }

    /// Adds names of a thousand bytes, each with another address, for more clients than the limit allows.
    @Test func limitsBytesOfNames() {
        var known = KnownNames()
        let tail = String(repeating: "\\001", count: 250)
        for client in 0..<20 as Range<UInt32> {
            for number in 0..<1200 as Range<UInt32> {
                let address = IPAddress(ipv4: 0xc000_0000 | number)
                known.learn("\(number)\(tail)", of: address, for: .workload(interface: client), ttl: 1, now: 0)
            }
        }
        // Clients beyond the limit have an equal share each.
        #expect(known.bytes > KnownNames.byteLimit * 9 / 10 && known.bytes < KnownNames.byteLimit * 5 / 4)
        #expect(known.refused > 0)
        // A later client has a share, too.
        known.learn("late.example", of: Self.answer, for: .host, ttl: 1, now: 0)
        #expect(known.names(of: Self.answer, for: .host) == ["late.example"])
        for _ in 0..<2 { known.endInterval(now: KnownNames.shortest) }
        #expect(known.bytes == 0 && known.count == 0)
    }

    /// Answered queries use no memory, even if there are many within the timeout.
    @Test func answeredQueriesFreeTheirMemory() {
        var pending = PendingQueries()
        let (query, reply) = (DNSBytes.query("x.example"), DNSBytes.response("x.example", [192, 0, 2, 1]))
        guard let question = DNSMessage(query), let answer = DNSMessage(reply) else { return }
        var (most, answered) = (0, 0)
        for port in 1...60_000 as ClosedRange<UInt16> {
            pending.ask(Self.packet(query, isResponse: false, port: port), question)
            if pending.answer(Self.packet(reply, isResponse: true, port: port), answer) == 0 { answered += 1 }
            most = max(most, pending.remembered)
        }
        #expect(answered == 60_000 && pending.count == 0 && most <= 2 * PendingQueries.interfaceLimit + 1)
        // Pending queries stay in order.
        for second in 0..<20 as Range<UInt64> {
            let time = Self.second * (1 + second)
            pending.ask(Self.packet(query, isResponse: false, time: time, port: UInt16(second)), question)
        }
        pending.forget(before: Self.second * 21)
        #expect(pending.count == 10)
    }

    /// The address of an alias gets the queried name.
    @Test func addressOfAliasHasQueriedName() {
        let tracker = DomainTracker()
        let bytes = DNSBytes(
            questions: [DNSBytes.question("www.example.com")],
            answers: [
                DNSBytes.record([0xc0, 12], type: 5, data: DNSBytes.name("edge.cdn.example")),
                DNSBytes.record(DNSBytes.name("edge.cdn.example"), type: 1, data: [192, 0, 2, 1]),
            ]
        ).bytes
        tracker.process([Self.query, Self.packet(bytes, isResponse: true)])
        #expect(tracker.domains(of: Self.answer, for: Self.pod) == ["www.example.com"])
    }
}
