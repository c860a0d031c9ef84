import FlowModel
import Foundation
import Testing

@testable import Export

/// Schemas for servers: every field has a place, of the type in the format's documentation.
struct SchemaTests {
    @Test(arguments: [HTTPDestination.Kind.elasticsearch, .opensearch])
    func indexHasAllFields(kind: HTTPDestination.Kind) throws {
        let requests = IndexSchema.requests(for: kind)
        #expect(requests.count == 3 && requests.allSatisfy { $0.method == "PUT" })
        let component = try #require(
            JSONSerialization.jsonObject(with: Data(requests[1].body.utf8)) as? [String: [String: [String: Any]]]
        )
        let properties = try #require(component["template"]?["mappings"]?["properties"] as? [String: [String: Any]])
        // From the table of the format, not from the catalogue.
        let expected = [
            "start_time": "date", "end_time": "date", "source_ip": "ip", "dest_ip": "ip", "source_name": "keyword",
            "source_port": "long", "nat_outgoing_ports": "long", "source_labels": "nested", "policies": "nested",
            "process_id": "keyword", "bytes_in": "long", "dest_service_port": "keyword",
            "dest_service_port_num": "long",
            "original_source_ips": "ip", "host": "keyword", "@timestamp": "date", "source_port_num": "alias",
            "dest_service_port_name": "alias", "dest_domains": "keyword", "tcp_total_retransmissions": "long",
        ]
        for (name, type) in expected { #expect(properties[name]?["type"] as? String == type, "\(name)") }
        #expect(properties.count == FlowField.allCases.count + 5)
        let lists = properties["policies"]?["properties"] as? [String: Any]
        #expect(lists?.keys.sorted() == ["enforced_policies", "pending_policies", "transit_policies"])
        let template = try JSONSerialization.jsonObject(with: Data(requests[2].body.utf8)) as? [String: Any]
        #expect(
            template?["data_stream"] != nil && template?["index_patterns"] as? [String] == ["calico_flowlogs_standard"]
        )
        #expect(requests[0].body.contains("8d"))
    }

    @Test func datedIndexIsNoDataStream() throws {
        let requests = IndexSchema.requests(
            for: .elasticsearch,
            index: "tigera_secure_ee_flows.cluster.{date}",
            days: 30
        )
        #expect(requests[2].path == "/_index_template/tigera_secure_ee_flows.cluster")
        #expect(
            requests[2].body.contains("\"tigera_secure_ee_flows.cluster.*\"")
                && !requests[2].body.contains("data_stream")
        )
        #expect(requests[0].body.contains("30d"))
    }

    @Test func tableHasColumnForEachField() {
        let table = ColumnSchema.statements(table: "net.flows")[0]
        for field in FlowField.allCases { #expect(table.contains("    \(field.description.name) "), "\(field)") }
        #expect(table.contains("pending_policies Array(LowCardinality(String)), transit_policies Array("))
        #expect(table.hasPrefix("CREATE TABLE IF NOT EXISTS net.flows\n"))
        #expect(table.contains("    container_name LowCardinality(String) DEFAULT '-',"))
        let cluster = ColumnSchema.statements(table: "net.flows", cluster: "all")
        #expect(cluster.count == 7 && cluster.allSatisfy { $0.contains("ON CLUSTER 'all'") })
        #expect(cluster[5].contains("Distributed('all', net, flows_local, cityHash64(host))"))
    }

    /// The statements, run again, add the columns of a newer version; the view reads and writes columns, so it comes later.
    @Test(
        arguments: [
            (nil, ["net.flows", "net.flows_minutes"]),
            ("all", ["net.flows_local", "net.flows_local_minutes", "net.flows"]),
        ] as [(String?, [String])]
    )
    func statementsAddMissingColumns(cluster: String?, tables: [String]) throws {
        let statements = ColumnSchema.statements(table: "net.flows", cluster: cluster)
        let place = cluster.map { " ON CLUSTER '\($0)'" } ?? ""
        let alterations = statements.filter { $0.hasPrefix("ALTER TABLE ") }
        let altered = alterations.map { text in String(text.prefix { $0 != "\n" }) }
        #expect(altered == tables.map { "ALTER TABLE \($0)\(place)" })
        for (table, alteration) in zip(tables, alterations) where !table.hasSuffix("_minutes") {
            for name in FlowField.allCases.map(\.description.name) + ["host", "`@timestamp`"] {
                #expect(alteration.contains("\n    ADD COLUMN IF NOT EXISTS \(name) "), "\(table) \(name)")
            }
        }
        let view = try #require(statements.firstIndex { $0.hasPrefix("CREATE MATERIALIZED VIEW") })
        let rollUp = try #require(statements.firstIndex(of: alterations[1]))
        #expect(rollUp < view)
        for name in ["transit_bytes_in", "transit_bytes_out", "transit_packets_in", "transit_packets_out"] {
            #expect(statements[view].contains("sum(r.\(name)) AS \(name)"), "\(name)")
            #expect(alterations[1].contains("ADD COLUMN IF NOT EXISTS \(name) UInt64"), "\(name)")
        }
    }
}
