import Encoding
import FlowModel
import Foundation
import Testing

@testable import Filter

@Suite("fields have the values of the JSON line, and filters agree with a naive evaluation of it")
struct FieldValueTests {
    /// xorshift64*: the same records in every run.
    private struct Chance: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_f491_4f6c_dd1d
        }
    }

    private static let words = ["a", "b", "ab", "-", "allow"]

    private static func endpoint(_ chance: inout Chance) -> Endpoint {
        let labels = ["a", "ab", "b"].filter { _ in Bool.random(using: &chance) }.map { "\($0)=\(words[0])\($0)" }
        return Endpoint(
            kind: Endpoint.Kind.allCases.randomElement(using: &chance) ?? .host,
            name: words.randomElement(using: &chance) ?? "",
            aggregatedName: words.randomElement(using: &chance) ?? "",
            namespace: Bool.random(using: &chance) ? words.randomElement(using: &chance) : nil,
            labels: Bool.random(using: &chance) ? LabelSet(sorted: labels) : nil
        )
    }

    private static func end(_ chance: inout Chance) -> FlowRecord.End {
        let endpoint = endpoint(&chance)
        return FlowRecord.End(
            address: Bool.random(using: &chance) ? IPAddress(10, 0, 0, UInt8.random(in: 0...5, using: &chance)) : nil,
            port: Bool.random(using: &chance) ? UInt16.random(in: 0...5, using: &chance) : nil,
            endpoint: endpoint,
            labels: endpoint.labels
        )
    }

    private static func record(_ chance: inout Chance) -> FlowRecord {
        let trace = PolicyTrace(action: .allow, enforced: ["a"], pending: Bool.random(using: &chance) ? ["b"] : [])
        let transit = PolicyTrace(action: .allow, transit: ["ab"])
        let pending = Bool.random(using: &chance) ? trace : transit
        let service = ServicePort(
            namespace: "a",
            name: "b",
            portName: Bool.random(using: &chance) ? "ab" : nil,
            port: UInt16.random(in: 0...2, using: &chance)
        )
        let reason = DropReason(name: "A", isDecision: true)
        return FlowRecord(
            startTime: 3,
            endTime: 5,
            level: AggregationLevel.allCases.randomElement(using: &chance) ?? .none,
            source: end(&chance),
            destination: end(&chance),
            service: Bool.random(using: &chance) ? service : nil,
            natOutgoingPorts: Bool.random(using: &chance) ? [1, 3] : [],
            proto: IPProtocol(rawValue: UInt8.random(in: 0...20, using: &chance)),
            action: Bool.random(using: &chance) ? .allow : .deny,
            reporter: Bool.random(using: &chance) ? .source : .destination,
            policies: Bool.random(using: &chance) ? .init(enforced: trace, pending: pending) : nil,
            inbound: TrafficCounters(packets: 1, bytes: UInt64.random(in: 0...5, using: &chance)),
            outbound: TrafficCounters(packets: 2, bytes: UInt64.random(in: 0...5, using: &chance)),
            flows: FlowCounts(total: 1, started: 2, completed: 3),
            drops: Bool.random(using: &chance) ? .init(inbound: 1, outbound: 2, reason: reason) : nil
        )
    }

    private static func parsed(_ record: FlowRecord) throws -> [String: Any] {
        var encoder = JSONLineEncoder(extendedFields: true)
        var buffer = ByteBuffer()
        encoder.encode(record, into: &buffer)
        return try #require(JSONSerialization.jsonObject(with: Data(buffer.take())) as? [String: Any])
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyFieldEqualsValueInJSONLine(seed: UInt64) throws {
        var chance = Chance(state: seed)
        for _ in 0..<300 {
            let record = Self.record(&chance)
            let object = try Self.parsed(record)
            for field in FlowField.allCases {
                let json = object[field.description.name]
                switch record.value(of: field) {
                case .absent: #expect(json is NSNull, "\(field)")
                case .text(let text): #expect(json as? String == text, "\(field)")
                case .number(let number): #expect(json as? UInt64 == number, "\(field)")
                case .address(let address): #expect(json as? String == "\(address)", "\(field)")
                case .ports(let ports): #expect(json as? [UInt16] == ports, "\(field)")
                case .texts(let texts): #expect(json as? [String] == texts, "\(field)")
                case .labels(let set): #expect(json as? [String: [String]] == ["labels": set.labels], "\(field)")
                case .hits(let enforced, let pending, let transit):
                    var lists = ["enforced_policies": enforced, "pending_policies": pending]
                    if !transit.isEmpty { lists["transit_policies"] = transit }
                    #expect(json as? [String: [String]] == lists, "\(field)")
                }
            }
        }
    }

    /// Evaluates random expressions on random records, and on their JSON lines with an evaluator that shares only the
    /// expression tree with the program.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithNaiveEvaluation(seed: UInt64) throws {
        var chance = Chance(state: seed)
        let records = (0..<60).map { _ in Self.record(&chance) }
        let objects = try records.map(Self.parsed)
        var held = 0
        for _ in 0..<150 {
            let text = Self.expression(depth: 3, &chance)
            let filter = try Filter(text)
            for (record, object) in zip(records, objects) {
                let expected = Self.naive(filter.expression, object)
                #expect(filter.matches(record) == expected, "\(text)")
                held += expected ? 1 : 0
            }
        }
        #expect(held > 500 && held < 8_500)
    }

    private static func expression(depth: Int, _ chance: inout Chance) -> String {
        switch depth == 0 ? 0 : Int.random(in: 0...3, using: &chance) {
        case 1: "!(\(expression(depth: depth - 1, &chance)))"
        case 2: "\(expression(depth: depth - 1, &chance)) && \(expression(depth: depth - 1, &chance))"
        case 3: "(\(expression(depth: depth - 1, &chance)) || \(expression(depth: depth - 1, &chance)))"
        default: test(&chance)
        }
    }

    private static func test(_ chance: inout Chance) -> String {
        let word = "\"\(["a", "b", "ab", "-"].randomElement(using: &chance) ?? "")\""
        let number = Int.random(in: 0...5, using: &chance)
        let tests = [
            "source_name == \(word)", "dest_name_aggr contains \(word)", "namespace != \(word)", "port > \(number)",
            "dest_port in {\(number), 1}", "source_ip == \"10.0.0.\(number)/31\"", "has(dest_port)", "has(source_ip)",
            "source_labels['ab'] ends with 'b'", "dest_labels['a'] == 'aa'", "has(labels['b'])", "has(dest_labels)",
            "policies starts with \(word)", "pending_policies == \(word)", "transit_policies contains \(word)",
            "action == 'deny'", "type == 'wep'",
            "bytes_in >= \(number)", "proto not in {\(number), 17}", "nat_outgoing_ports < \(number)",
            "drop_reason == 'A'", "has(dest_service_port)", "dest_service_port_num != \(number)",
            "source_labels contains \(word)", "has(policies)", "has(process_name)", "dest_domains == 'a'",
        ]
        return tests.randomElement(using: &chance) ?? ""
    }

    private static func naive(_ expression: FilterExpression, _ object: [String: Any]) -> Bool {
        switch expression {
        case .all: return true
        case .not(let inner): return !naive(inner, object)
        case .and(let parts): return parts.allSatisfy { naive($0, object) }
        case .or(let parts): return parts.contains { naive($0, object) }
        case .test(let subject, let condition):
            return elements(of: subject, object).contains { naive(condition, "\($0)", subject) }
        }
    }

    private static func elements(of subject: FilterSubject, _ object: [String: Any]) -> [Any] {
        switch subject {
        case .hits(let list):
            return (object["policies"] as? [String: [String]])?[list.rawValue] ?? []
        case .label(let field, let key):
            let labels = (object[field.description.name] as? [String: [String]])?["labels"] ?? []
            return labels.compactMap { label in
                let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return parts[0] == key ? parts[1] : nil
            }
        case .field(let field):
            switch object[field.description.name] {
            case let lists as [String: [String]]: return Array(lists.values.joined())
            case let list as [Any]: return list
            case nil, is NSNull: return []
            case let value?: return [value]
            }
        }
    }

    private static func naive(_ condition: FilterCondition, _ text: String, _ subject: FilterSubject) -> Bool {
        switch condition {
        case .present:
            if case .label = subject { return true }
            return text != "-"
        case .equals(let texts): return texts.contains(text)
        case .contains(let part): return text.contains(part)
        case .startsWith(let part): return text.hasPrefix(part)
        case .endsWith(let part): return text.hasSuffix(part)
        case .numbers(let ranges): return ranges.contains { range in UInt64(text).map(range.contains) ?? false }
        case .addresses(let ranges): return ranges.contains { range in IPAddress(text).map(range.contains) ?? false }
        }
    }
}
