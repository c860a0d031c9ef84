import FlowModel

/// A name in a filter: a field, a list of `policies`, or a name that stands for both ends.
enum FilterName {
    /// A field.
    case field(FlowField)
    /// A list of `policies`.
    case hits(FilterHits)
    /// The fields of both ends: a test is true if it is true for the source or for the destination.
    case ends(FlowField, FlowField)

    /// All names by their text.
    static let all: [String: FilterName] = {
        var names: [String: FilterName] = [:]
        for field in FlowField.allCases { names[field.description.name] = .field(field) }
        for list in FilterHits.allCases { names[list.rawValue] = .hits(list) }
        for (name, source, destination) in ends { names[name] = .ends(source, destination) }
        for (name, field) in aliases { names[name] = .field(field) }
        return names
    }()

    /// Names that stand for the fields of both ends.
    private static let ends: [(String, FlowField, FlowField)] = [
        ("ip", .sourceIP, .destIP), ("name", .sourceName, .destName), ("name_aggr", .sourceNameAggr, .destNameAggr),
        ("namespace", .sourceNamespace, .destNamespace), ("port", .sourcePort, .destPort),
        ("type", .sourceType, .destType), ("labels", .sourceLabels, .destLabels),
    ]

    /// Names of the same fields in older index mappings.
    private static let aliases: [(String, FlowField)] = [
        ("source_port_num", .sourcePort), ("dest_port_num", .destPort), ("dest_service_port_name", .destServicePort),
    ]

    /// The name with the smallest edit distance to a text, else a field whose name contains the text; nil if there is none.
    static func nearest(to text: String) -> String? {
        EditDistance.nearest(to: text, among: all.keys)
            ?? FlowField.allCases.map(\.description.name).first { $0.contains(text) }
    }

    /// The subjects of a test with this name.
    var subjects: [FilterSubject] {
        switch self {
        case .field(let field): [.field(field)]
        case .hits(let list): [.hits(list)]
        case .ends(let source, let destination): [.field(source), .field(destination)]
        }
    }

    /// The type of the values; it is the same for both ends.
    var type: FlowFieldType {
        switch self {
        case .field(let field), .ends(let field, _): field.description.type
        case .hits: .strings
        }
    }

    /// The allowed values, for fields with a fixed set of values; nil for others.
    var vocabulary: [String]? {
        switch self {
        case .field(.action): FlowAction.allCases.map(\.rawValue)
        case .field(.reporter): FlowReporter.allCases.map(\.rawValue)
        case .field(.sourceType), .field(.destType), .ends(.sourceType, _): Endpoint.Kind.allCases.map(\.rawValue)
        case .field(.proto): (0...255).map { IPProtocol(rawValue: UInt8($0)).name }
        default: nil
        }
    }
}
