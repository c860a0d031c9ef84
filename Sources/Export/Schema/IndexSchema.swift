import FlowModel
import Foundation

/// The objects that records need in Elasticsearch or OpenSearch: a template with the types of the fields, and a retention
/// policy.
package enum IndexSchema {
    /// The default retention time in days, as in Calico.
    package static let defaultRetention = 8

    /// The default data stream.
    package static let defaultIndex = "calico_flowlogs_standard"

    /// Returns the requests that create the objects, in the form of the servers' consoles: method, path, body.
    ///
    /// - Parameters:
    ///   - kind: the kind of server.
    ///   - content: the content of the index.
    ///   - index: the data stream, or the pattern of dated indices; nil for the default.
    ///   - days: the retention time in days; nil for the default.
    /// - Returns: the requests, in the order in which they must be sent.
    package static func requests(
        for kind: HTTPDestination.Kind,
        content: SchemaContent = .flows,
        index: String? = nil,
        days: Int? = nil
    ) -> [(method: String, path: String, body: String)] {
        let (index, days) = (index ?? content.index, days ?? content.retention)
        let isStream = !index.contains("{date}")
        let pattern = index.replacingOccurrences(of: "{date}", with: "*")
        let name = index.replacingOccurrences(of: "{date}", with: "").trimmingCharacters(
            in: CharacterSet(charactersIn: ".-_")
        )
        let life: (String, [String: Any]) =
            kind == .opensearch
            ? ("/_plugins/_ism/policies/\(name)", stateManagement(content, pattern, days))
            : ("/_ilm/policy/\(name)", lifecycle(days, isStream: isStream))
        var settings: [String: Any] = ["number_of_shards": 1, "refresh_interval": "5s", "codec": "best_compression"]
        if kind == .elasticsearch { settings["lifecycle.name"] = name }
        let mappings = content == .flows ? mappings : auditMappings
        let component: [String: Any] = ["template": ["settings": ["index": settings], "mappings": mappings]]
        var template: [String: Any] = ["index_patterns": [pattern], "composed_of": ["\(name)-fields"], "priority": 200]
        if isStream { template["data_stream"] = [String: Any]() }
        return [
            ("PUT", life.0, json(life.1)), ("PUT", "/_component_template/\(name)-fields", json(component)),
            ("PUT", "/_index_template/\(name)", json(template)),
        ]
    }

    private static func json(_ object: [String: Any]) -> String {
        let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try? JSONSerialization.data(withJSONObject: object, options: options)
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    private static func lifecycle(_ days: Int, isStream: Bool) -> [String: Any] {
        var phases: [String: Any] = ["delete": ["min_age": "\(days)d", "actions": ["delete": [String: Any]()]]]
        let rollover = ["rollover": ["max_age": "1d", "max_primary_shard_size": "30gb"]]
        phases["hot"] = ["actions": isStream ? rollover as [String: Any] : [:]]
        return ["policy": ["phases": phases]]
    }

    private static func stateManagement(_ content: SchemaContent, _ pattern: String, _ days: Int) -> [String: Any] {
        let states: [[String: Any]] = [
            [
                "name": "hot", "actions": [["rollover": ["min_index_age": "1d", "min_primary_shard_size": "30gb"]]],
                "transitions": [["state_name": "delete", "conditions": ["min_index_age": "\(days)d"]]],
            ],
            ["name": "delete", "actions": [["delete": [String: Any]()]], "transitions": [Any]()],
        ]
        let template: [[String: Any]] = [["index_patterns": [pattern], "priority": 200]]
        return [
            "policy": [
                "description": "\(content == .flows ? "flow records" : "audit events") of Weir, \(days) days",
                "default_state": "hot", "states": states,
                "ism_template": template,
            ] as [String: Any]
        ]
    }

    /// The types of all fields of the catalogue, of host and time, and of fields in older mappings.
    static var mappings: [String: Any] {
        var properties: [String: Any] = ["@timestamp": ["type": "date"], "host": ["type": "keyword"]]
        for field in FlowField.allCases { properties[field.description.name] = type(of: field) }
        for (alias, field) in [
            ("source_port_num", FlowField.sourcePort), ("dest_port_num", .destPort),
            ("dest_service_port_name", .destServicePort),
        ] {
            properties[alias] = ["type": "alias", "path": field.description.name]
        }
        return ["dynamic": false, "properties": properties]
    }

    private static func type(of field: FlowField) -> [String: Any] {
        switch field {
        case .startTime, .endTime: return ["type": "date", "format": "epoch_second"]
        default: break
        }
        switch field.description.type {
        case .integer, .port, .integers: return ["type": "long"]
        case .string, .name, .strings: return ["type": "keyword"]
        case .address, .addresses: return ["type": "ip"]
        case .labels: return ["type": "nested", "properties": ["labels": ["type": "keyword"]]]
        case .policies:
            let names = ["enforced_policies", "pending_policies", "transit_policies"]
            let lists = names.map { ($0, ["type": "keyword"]) }
            return ["type": "nested", "properties": Dictionary(uniqueKeysWithValues: lists)]
        }
    }
}
