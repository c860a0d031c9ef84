import FlowModel
import Testing

/// The catalogue of fields and the names of protocols.
struct CatalogueTests {
    @Test func hasFieldsWithUniqueNames() {
        let names = FlowField.allCases.map(\.description.name)
        #expect(names.count == 68)
        #expect(Set(names).count == 68)
        #expect(FlowField.allCases.map(\.rawValue) == Array(0..<68))
    }

    /// Numbers are columns of the documentation: those of the format come first and have no gaps.
    @Test func standardFieldsExcludeExtensions() {
        #expect(FlowField.standard.map(\.rawValue) == Array(0..<58))
        let names = FlowField.extensions.map(\.description.name)
        #expect(
            names == [
                "dropped_packets_in", "dropped_packets_out", "drop_reason", "caused_by", "connect_time_us", "rtt_us",
                "tcp_flags", "dns_latency_us", "container_id", "container_name",
            ]
        )
    }

    @Test(arguments: FlowField.allCases)
    func describesEveryField(field: FlowField) {
        let description = field.description
        #expect(!description.name.isEmpty)
        #expect(description.name.allSatisfy { $0.isLowercase || $0 == "_" })
        #expect(!description.meaning.isEmpty)
        let allowed: [String] =
            switch description.type {
            case .integer: ["0"]
            case .port, .address, .addresses, .integers, .labels, .policies, .name: ["null"]
            case .strings: ["null", "[\"-\"]"]
            case .string: ["\"-\"", "\"net\"", "\"0\"", "\"allow\"", "\"src\""]
            }
        #expect(allowed.contains(description.emptyJSON))
        #expect(description.type == .integer || description.unit.isEmpty)
    }

    @Test(arguments: 0...255)
    func protocolsHaveNamesOfFormat(number: Int) {
        let names = [1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 50: "esp", 58: "icmp6", 132: "sctp"]
        let proto = IPProtocol(rawValue: UInt8(number))
        #expect(proto.name == names[number] ?? String(number))
        #expect(proto.hasPorts == [6, 17, 132].contains(number))
    }

    @Test func countersAddAndWrap() {
        var sum = TrafficCounters(packets: 1, bytes: .max)
        sum += TrafficCounters(packets: 2, bytes: 2)
        #expect(sum == TrafficCounters(packets: 3, bytes: 1))
        #expect(sum + .zero == sum)
    }
}
