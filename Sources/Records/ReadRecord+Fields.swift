package import FlowModel

extension ReadRecord: FieldSource {
    /// Returns the value of a field in the line.
    package borrowing func value(of field: FlowField) -> FieldValue {
        switch field.description.type {
        case .integer: .number(integer(field))
        case .port: number(field).map { .number($0) } ?? .absent
        case .string where field == .reporter: Self.list(reporters)
        case .string, .name: text(field).map { .text($0) } ?? .absent
        case .address: address(field).map { .address($0) } ?? .absent
        case .addresses, .strings:
            Self.list(texts(field))
        case .integers:
            Self.ports(json(field))
        case .labels: json(field) == "null" ? .absent : .labels(LabelSet(sorted: labels(field).sorted()))
        case .policies: json(field) == "null" ? .absent : hits
        }
    }

    /// The hits of all lists.
    private var hits: FieldValue {
        let lists = lists(.policies)
        return .hits(
            enforced: lists["enforced_policies"] ?? [],
            pending: lists["pending_policies"] ?? [],
            transit: lists["transit_policies"] ?? []
        )
    }

    private static func list(_ texts: [String]) -> FieldValue { texts.isEmpty ? .absent : .texts(texts) }

    /// Parses the numbers of a list such as `[1,2,3]`.
    private static func ports(_ json: String) -> FieldValue {
        let ports = json.split { !$0.isNumber }.compactMap { UInt16($0) }
        return ports.isEmpty ? .absent : .ports(ports)
    }
}
