import FlowModel
import Foundation
import Testing

@testable import Names

@Suite("DNS messages")
struct DNSMessageTests {
    /// A query of dig, with EDNS after the question, and a server's answer, with a pointer.
    @Test func parsesQueryOfDigAndResponse() throws {
        let query: [UInt8] = [
            0x3c, 0x1f, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1, 3, 0x77, 0x77, 0x77, 7, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c,
            0x65, 3, 0x63, 0x6f, 0x6d, 0, 0, 1, 0, 1, 0, 0, 0x29, 4, 0xd0, 0, 0, 0, 0, 0, 0,
        ]
        let asked = try #require(DNSMessage(query))
        #expect(asked == DNSMessage(id: 0x3c1f, isResponse: false, question: .init(name: "www.example.com", type: 1)))
        var response = query
        response[2...3] = [0x81, 0x80]
        response[7] = 1
        response.replaceSubrange(33..., with: [0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 192, 0, 2, 7])
        let answered = try #require(DNSMessage(response))
        #expect(answered.isResponse && answered.responseCode == 0)
        #expect(answered.addresses.map(\.address) == [IPAddress(192, 0, 2, 7)])
        #expect(answered.addresses.map(\.ttl) == [3600])
    }

    /// The names of RFC 1035 section 4.1.4: FOO before a pointer to F.ISI.ARPA, and a pointer to its ARPA.
    @Test func parsesExampleOfRFC1035() throws {
        let direct = DNSBytes(
            questions: [DNSBytes.question("F.ISI.ARPA")],
            answers: [
                DNSBytes.record([0xc0, 12], type: 5, data: [3, 0x46, 0x4f, 0x4f, 0xc0, 12]),
                DNSBytes.record([3, 0x46, 0x4f, 0x4f, 0xc0, 14], type: 2, data: [0xc0, 18]),
            ]
        )
        let message = try #require(DNSMessage(direct.bytes))
        #expect(message.question.name == "f.isi.arpa")
        #expect(message.answers.map(\.name) == ["f.isi.arpa", "foo.isi.arpa"])
        #expect(message.answers.map(\.content) == [.name("foo.f.isi.arpa"), .name("arpa")])
    }

    /// RFC 6895 section 2.3: BADVERS is 16, with the higher bits in the record for EDNS, BADCOOKIE 23.
    static let results: [(code: UInt16, ttl: UInt32, name: String)] = [
        (0, 1 << 24, "BADVERS"), (7, 1 << 24, "BADCOOKIE"), (3, 0x8000, "NXDomain"), (0, 0xff << 24, "RCODE4080"),
    ]

    @Test(arguments: results)
    func readsResultsOfEDNS(code: UInt16, ttl: UInt32, name: String) throws {
        let address = DNSBytes.record([0xc0, 12], type: 1, data: [192, 0, 2, 1])
        let question = DNSBytes.question("www.example.com")
        var parts = DNSBytes(flags: 0x8180 | code, questions: [question], answers: [address])
        // An owner without a pointer, one that ends in a pointer, and the root, before it.
        parts.authorities = [
            DNSBytes.record(DNSBytes.name("example.com"), type: 6, data: [1, 2, 3]),
            DNSBytes.record([1, 0x61, 0xc0, 12], type: 2, data: [0xc0, 12]),
        ]
        parts.additions = [
            DNSBytes.record([0], type: 250, data: []), DNSBytes.record([0], type: 41, ttl: ttl, data: [0, 10, 0, 0]),
        ]
        let message = try #require(DNSMessage(parts.bytes))
        #expect(DNSResponseCode.name(of: message.responseCode) == name)
        #expect(message.addresses.isEmpty && message.answers.count == 1)
        // Where the record is cut off, the lower bits are what is known.
        let short = try #require(DNSMessage(parts.bytes.dropLast()))
        #expect(short.responseCode == code && short.answers == message.answers)
    }

    /// Texts of a message do not grow with what its pointers point to; addresses under any printable name are all read.
    @Test func limitsTextsOfOneAnswer() throws {
        let labels = [63, 63, 63, 61].map { [UInt8($0)] + [UInt8](repeating: 1, count: $0) }
        let odd = Array(labels.joined()) + [0]
        let pointers = (0..<68).map { _ in DNSBytes.record([0xc0, 12], type: 2, data: [0xc0, 12]) }
        let bytes = DNSBytes(questions: [odd + [0, 2, 0, 1]], answers: pointers).bytes
        #expect(bytes.count <= 1232)
        let message = try #require(DNSMessage(bytes))
        let name = message.question.name.utf8.count
        #expect(name == 4 * 250 + 3 && message.answers.count == 20 << 10 / (2 * name))
        let label = String(repeating: "a", count: 63)
        let long = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        let addresses = (0..<60).map { DNSBytes.record([0xc0, 12], type: 1, data: [192, 0, 2, $0]) }
        let all = DNSBytes(questions: [DNSBytes.question(long)], answers: addresses).bytes
        #expect(all.count <= 1232 && DNSMessage(all)?.addresses.count == 60)
    }

    /// A name of 255 bytes is one, of 256 none (RFC 1035 section 2.3.4).
    @Test(arguments: [(61, true), (62, false)])
    func limitsNamesTo255Bytes(lastLabel: Int, isValid: Bool) {
        let labels = [63, 63, 63, lastLabel].map { String(repeating: "a", count: $0) }
        let message = DNSMessage(DNSBytes.query(labels.joined(separator: ".")))
        #expect((message != nil) == isValid)
    }

    static let broken: [(String, [UInt8])] = [
        ("nothing", []),
        ("half a header", [UInt8](repeating: 0, count: 11)),
        ("no question", DNSBytes(questions: []).bytes),
        ("two questions", DNSBytes(questions: [DNSBytes.question("a"), DNSBytes.question("b")]).bytes),
        ("another opcode", DNSBytes(flags: 0xa880, questions: [DNSBytes.question("a")]).bytes),
        ("a question that is cut off", DNSBytes.query("www.example.com").dropLast()),
        ("a label that is cut off", DNSBytes(questions: [[63, 0x61]]).bytes),
        ("a pointer to itself", DNSBytes(questions: [[0xc0, 12, 0, 1, 0, 1]]).bytes),
        ("a pointer into the header", DNSBytes(questions: [[0xc0, 4, 0, 1, 0, 1]]).bytes),
        ("a pointer ahead", DNSBytes(questions: [[0xc0, 20, 0, 1, 0, 1, 0, 0]]).bytes),
        ("half a pointer", DNSBytes(questions: [[0xc0]]).bytes),
        ("label bits 01", DNSBytes(questions: [[0x41, 0x61, 0, 0, 1, 0, 1]]).bytes),
        ("label bits 10", DNSBytes(questions: [[0x81, 0x61, 0, 0, 1, 0, 1]]).bytes),
    ]

    @Test(arguments: broken)
    func rejectsMalformedMessages(what: String, bytes: [UInt8]) {
        #expect(DNSMessage(bytes) == nil, "\(what)")
    }

    /// A record's name is a chain of pointers: 16 in all are followed, 17 are not.
    @Test(arguments: [(15, 1), (16, 0)])
    func limitsNumberOfPointers(count: Int, answers: Int) throws {
        // They are the data of a record: its owner is the root, and it begins behind the question.
        let start = 12 + DNSBytes.question("a").count + DNSBytes.record([0], type: 999, data: []).count
        let chain = (0..<count).flatMap { number -> [UInt8] in
            let target = number == 0 ? 12 : start + 2 * (number - 1)
            return DNSBytes.number(0xc000 | UInt16(target))
        }
        let holder = DNSBytes.record([0], type: 999, data: chain)
        let last = DNSBytes.number(0xc000 | UInt16(start + 2 * (count - 1)))
        let record = DNSBytes.record(last, type: 1, data: [192, 0, 2, 1])
        let message = DNSMessage(DNSBytes(questions: [DNSBytes.question("a")], answers: [holder, record]).bytes)
        #expect(try #require(message).addresses.count == answers)
    }

    /// Records that are complete before the truncation count, wherever it is.
    @Test func keepsRecordsBeforeTruncation() throws {
        let records = (1...9).map { DNSBytes.record([0xc0, 12], type: 1, data: [192, 0, 2, UInt8($0)]) }
        let bytes = DNSBytes(questions: [DNSBytes.question("many.example")], answers: records).bytes
        let start = bytes.count - 9 * 16
        for length in start...bytes.count {
            let message = try #require(DNSMessage(Array(bytes.prefix(length))))
            #expect(message.answers.count == (length - start) / 16)
        }
    }

    @Test func namesAreInLowerCaseAndPrintable() throws {
        let label: [UInt8] = [7, 0x41, 0x2e, 0x5c, 0x22, 0x0a, 0xff, 0x7a, 0]
        let bytes = DNSBytes(flags: 0x0100, questions: [label + [0, 1, 0, 1]]).bytes
        #expect(try #require(DNSMessage(bytes)).question.name == #"a\.\\"\010\255z"#)
    }

    @Test func followsAliases() throws {
        func alias(_ from: String, _ to: String, ttl: UInt32) -> [UInt8] {
            DNSBytes.record(DNSBytes.name(from), type: 5, ttl: ttl, data: DNSBytes.name(to))
        }
        func address(_ name: String, _ last: UInt8) -> [UInt8] {
            DNSBytes.record(DNSBytes.name(name), type: 1, ttl: 600, data: [192, 0, 2, last])
        }
        // Records may be in any order; addresses that the question does not lead to are ignored.
        let bytes = DNSBytes(
            questions: [DNSBytes.question("www.example.com")],
            answers: [
                address("edge.cdn.example", 1), alias("cdn.example", "edge.cdn.example", ttl: 20),
                alias("www.example.com", "CDN.example", ttl: 300), address("other.example", 2),
                address("www.example.com", 3),
            ]
        ).bytes
        let addresses = try #require(DNSMessage(bytes)).addresses
        #expect(addresses.map(\.address) == [IPAddress(192, 0, 2, 1), IPAddress(192, 0, 2, 3)])
        #expect(addresses.map(\.ttl) == [20, 600])
        // A circle of aliases ends.
        let circle = DNSBytes(
            questions: [DNSBytes.question("a.example")],
            answers: [
                alias("a.example", "b.example", ttl: 1), alias("b.example", "a.example", ttl: 1),
                address("b.example", 4),
            ]
        ).bytes
        #expect(try #require(DNSMessage(circle)).addresses.map(\.address) == [IPAddress(192, 0, 2, 4)])
    }

    @Test func nxdomainAnswerHasNoAddresses() throws {
        let bytes = DNSBytes.response("no.example", [192, 0, 2, 1], flags: 0x8183)
        let message = try #require(DNSMessage(bytes))
        #expect(message.responseCode == 3 && message.addresses.isEmpty)
    }

    @Test func parsesIPv6AndMappedAddresses() throws {
        var mapped = [UInt8](repeating: 0, count: 16)
        mapped.replaceSubrange(10..., with: [0xff, 0xff, 192, 0, 2, 1])
        let plain: [UInt8] = [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [7]
        let records = [plain, mapped].map { DNSBytes.record([0xc0, 12], type: 28, data: $0) }
        let bytes = DNSBytes(questions: [DNSBytes.question("six.example", type: 28)], answers: records).bytes
        let addresses = try #require(DNSMessage(bytes)).addresses.map(\.address)
        #expect(addresses.first == IPAddress("2001:db8::7"))
        #expect(addresses.last?.isMappedIPv6 == true)
    }

    @Test func rootIsDot() throws {
        let bytes = DNSBytes(questions: [DNSBytes.question("", type: 2)]).bytes
        #expect(try #require(DNSMessage(bytes)).question.name == ".")
    }

    @Test func formatsContentOfOtherRecords() throws {
        let records = [
            DNSBytes.record([0xc0, 12], type: 15, data: [0, 10] + DNSBytes.name("mail.example")),
            DNSBytes.record([0xc0, 12], type: 33, data: [0, 1, 0, 2, 0x14, 0xe9] + DNSBytes.name("srv.example")),
            DNSBytes.record([0xc0, 12], type: 16, data: [2, 0x68, 0x22, 0, 1, 0x0a]),
            DNSBytes.record([0xc0, 12], type: 65, data: [0, 1, 0]),
            // No mail is accepted (RFC 7505).
            DNSBytes.record([0xc0, 12], type: 15, data: [0, 0, 0]),
        ]
        let bytes = DNSBytes(questions: [DNSBytes.question("x.example", type: 255)], answers: records).bytes
        let texts = try #require(DNSMessage(bytes)).answers.map(\.content)
        #expect(
            texts == [
                .text("10 mail.example"), .text("1 2 5353 srv.example"), .text("\"h\\\"\" \"\" \"\\010\""),
                .text("\\# 3 000100"), .text("0 ."),
            ]
        )
    }
}

@Suite("Random and mutated DNS messages")
struct DNSFuzzTests {
    private static let seeds: [[UInt8]] = [
        DNSBytes.query("www.example.com"),
        DNSBytes.response("www.example.com", [192, 0, 2, 1]),
        DNSBytes(
            questions: [DNSBytes.question("www.example.com", type: 255)],
            answers: [
                DNSBytes.record([0xc0, 12], type: 5, data: [3, 0x63, 0x64, 0x6e, 0xc0, 16]),
                DNSBytes.record([0xc0, 16], type: 28, data: [UInt8](repeating: 1, count: 16)),
                DNSBytes.record([0xc0, 16], type: 16, data: [3, 1, 2, 3, 0]),
                DNSBytes.record([0xc0, 16], type: 15, data: [0, 1, 0xc0, 12]),
                DNSBytes.record([0xc0, 16], type: 33, data: [0, 1, 0, 1, 0, 1, 0xc0, 16]),
            ]
        ).bytes,
    ]

    /// The number of messages, `WEIR_DNS_MESSAGES` (scripts/fuzz-dns).
    private static let count =
        ProcessInfo.processInfo.environment["WEIR_DNS_MESSAGES"].flatMap { Int($0) }
        ?? (_isDebugAssertConfiguration() ? 200_000 : 3_000_000)

    /// Parsing ends for any bytes, and its results are bounded and printable.
    ///
    /// There is no query, and no address gets a name.
    @Test func mutatedMessagesGiveNoDomains() {
        var random = SeededNumbers(state: 13)
        var read = 0
        let tracker = DomainTracker()
        for round in 0..<Self.count {
            var bytes = Self.seeds[round % Self.seeds.count]
            for _ in 0..<Int(random.next() % 6) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[place] ^= 1 << UInt8(random.next() % 8)
                case 2: bytes[place] = 0xc0
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { break }
            }
            let packet = DNSPacket(
                interfaceIndex: UInt32(round % 8),
                client: IPAddress(10, 0, 0, 1),
                clientPort: 40_000,
                server: IPAddress(10, 0, 0, 53),
                isResponse: true,
                time: UInt64(round),
                bytes: bytes
            )
            tracker.process([packet])
            guard let message = DNSMessage(bytes) else { continue }
            read += 1
            let names = [message.question.name] + message.answers.map(\.name)
            let isPrintable = names.allSatisfy {
                $0.utf8.count <= 1020 && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
            }
            if !isPrintable || message.answers.count > bytes.count / 11 || message.addresses.count > 100 {
                Issue.record("\(bytes)")
            }
        }
        #expect(read > 1000 && tracker.isEmpty && tracker.statistics.lookups == 0)
        let statistics = tracker.statistics
        #expect(statistics.malformed + statistics.unasked == UInt64(Self.count))
        print("\(Self.count) messages: \(read) could be read, \(statistics.known) names learned")
    }

    /// From mutated answers to a query, the tracker takes only the queried name, and only for the client.
    @Test func mutatedAnswersGiveOnlyQueriedName() {
        var random = SeededNumbers(state: 17)
        let tracker = DomainTracker()
        let clients = (0..<4).map { DomainClient.workload(interface: $0) }
        let query = DNSBytes.query("www.example.com", type: 255)
        let whole = DNSBytes(
            questions: [DNSBytes.question("www.example.com", type: 255)],
            answers: [
                DNSBytes.record([0xc0, 12], type: 5, data: [3, 0x63, 0x64, 0x6e, 0xc0, 16]),
                DNSBytes.record([3, 0x63, 0x64, 0x6e, 0xc0, 16], type: 1, data: [192, 0, 2, 1]),
                DNSBytes.record([0xc0, 12], type: 28, data: [UInt8](repeating: 1, count: 16)),
                DNSBytes.record(DNSBytes.name("bank.example"), type: 1, data: [192, 0, 2, 2]),
            ]
        ).bytes
        var learned = Set<String>()
        for round in 0..<(Self.count / 10) {
            var answer = whole
            for _ in 0..<Int(random.next() % 6) {
                answer[Int(random.next() % UInt64(answer.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            for (isResponse, bytes) in [(false, query), (true, answer)] {
                let packet = DNSPacket(
                    interfaceIndex: 0,
                    client: IPAddress(10, 0, 0, 1),
                    clientPort: 40_000,
                    server: IPAddress(10, 0, 0, 53),
                    isResponse: isResponse,
                    time: UInt64(round) << 34,
                    bytes: bytes
                )
                tracker.process([packet]) { lookup in
                    for (address, _) in lookup.message.addresses {
                        learned.formUnion(tracker.domains(of: address, for: clients[0]))
                        if clients.dropFirst().contains(where: { !tracker.domains(of: address, for: $0).isEmpty }) {
                            Issue.record("\(bytes)")
                        }
                    }
                }
            }
        }
        #expect(learned == ["www.example.com"])
    }

    @Test func parsesRandomBytesWithoutCrash() {
        var random = SeededNumbers(state: 7)
        for _ in 0..<20_000 {
            let bytes = (0..<Int(random.next() % 300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = DNSMessage(bytes)?.addresses
        }
    }
}

/// A repeatable source of numbers (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
