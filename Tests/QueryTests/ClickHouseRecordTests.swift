import FlowModel
import Records
import Testing

@testable import Query

/// Rows of ClickHouse are read as flow records.
struct ClickHouseRecordTests {
    /// The value of a column for a record without the field.
    private static func missing(_ field: FlowField) -> String {
        switch field.description.type {
        case .integer: "0"
        case .string: String(field.description.emptyJSON.dropFirst().dropLast())
        case .port, .name, .address: ClickHouseText.null
        case .integers, .strings, .addresses, .labels: "[]"
        case .policies: "[],\"pending_policies\":[]"
        }
    }

    @Test func readsSparseRowWithoutExtensionFields() throws {
        let row = ClickHouseRecord.fields.map { $0 == .bytesIn ? "7" : Self.missing($0) }
        let record = try #require(ClickHouseRecord.read(row))
        for field in FlowField.allCases {
            #expect(record.json(field) == (field == .bytesIn ? "7" : field.description.emptyJSON), "\(field)")
        }
        let text = String(decoding: record.bytes, as: UTF8.self)
        for field in FlowField.allCases {
            #expect(text.contains("\"\(field.description.name)\":") == !field.isExtension, "\(field)")
        }
    }

    @Test func readsTransitPolicies() throws {
        let lists = #"[],"pending_policies":[],"transit_policies":["0|default|default.gateway|allow|0"]"#
        let row = ClickHouseRecord.fields.map { $0 == .policies ? lists : Self.missing($0) }
        let record = try #require(ClickHouseRecord.read(row))
        #expect(record.transitHits == ["0|default|default.gateway|allow|0"])
    }

    @Test(arguments: [
        (Measure(.transitBytes), "sum(r.transit_bytes_in + r.transit_bytes_out)"),
        (
            Measure(.transitPackets, .deny),
            "sumIf(r.transit_packets_in + r.transit_packets_out, r.action = 'deny')"
        ),
        (
            Measure(.bytes, includesForwarded: true),
            "sum(r.bytes_in + r.bytes_out + r.transit_bytes_in + r.transit_bytes_out)"
        ),
        (Measure(.connections, includesForwarded: true), "sum(r.num_flows_started)"),
    ])
    func sumsForwardedTraffic(_ measure: Measure, _ text: String) {
        #expect(ClickHouseText.sum(measure) == text)
    }

    @Test func readsExtensionFields() throws {
        let own: [FlowField: String] = [.droppedPacketsIn: "3", .dropReason: "NO \"SOCKET\"", .containerID: "ab"]
        let record = try #require(ClickHouseRecord.read(ClickHouseRecord.fields.map { own[$0] ?? Self.missing($0) }))
        #expect(record.integer(.droppedPacketsIn) == 3 && record.text(.dropReason) == "NO \"SOCKET\"")
        #expect(record.text(.containerID) == "ab" && record.text(.containerName) == "-")
    }
}
