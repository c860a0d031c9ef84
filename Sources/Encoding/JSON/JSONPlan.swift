import FlowModel

/// The plan by which a record becomes a line: constant texts with values between them, worked out once from the catalogue.
///
/// Keys, separators and the values of fields that are never filled are joined into the longest possible constants.
struct JSONPlan: ~Copyable {
    /// A constant text and the value behind it.
    struct Step {
        /// The start of the text in ``JSONPlan/texts``.
        let offset: Int
        /// The text's bytes.
        let count: Int
        /// The value behind the text; ``JSONRule/empty`` behind the last one: nothing.
        let value: JSONRule
    }

    /// All constant texts, one behind the other.
    private(set) var texts = ByteBuffer(capacity: 2048)
    /// The line, from left to right.
    private(set) var steps: [Step] = []
    /// The most bytes of a line, apart from texts of the caches.
    private(set) var maximumSize = 0

    /// Works out the plan for fields of the catalogue, in their order; those of a service must be neighbours.
    init(_ fields: [FlowField]) {
        var begin = 0
        var former = JSONRule.empty
        for field in fields {
            let description = field.description
            let rule = JSONRule(field)
            defer { former = rule }
            if rule == .service, former == .service { continue }
            texts.append(field == fields.first ? "{" : ",")
            if rule == .service {
                end(from: &begin, with: rule)
                continue
            }
            texts.appendJSON(description.name)
            texts.append(UInt8(ascii: ":"))
            if rule == .empty {
                texts.append(description.emptyJSON)
            } else {
                end(from: &begin, with: rule)
            }
        }
        texts.append("}\n")
        end(from: &begin, with: .empty)
    }

    private mutating func end(from begin: inout Int, with value: JSONRule) {
        let count = texts.count - begin
        steps.append(Step(offset: begin, count: count, value: value))
        maximumSize += count + value.maximumSize
        begin = texts.count
    }
}

extension JSONRule {
    /// The most bytes of the value, apart from texts of the caches, which are counted there.
    fileprivate var maximumSize: Int {
        switch self {
        case .empty: 0
        case .integer: 20
        case .address: IPAddress.maximumTextLength + 2
        case .natPorts: max(2 + 6 * FlowRecord.natOutgoingPortLimit, 8)
        case .service: ServicePort.noneText.count
        case .port, .endpoint, .labels, .proto, .action, .reporter, .policies, .dropReason, .causedBy, .domains,
            .processName, .processArguments, .containerID, .containerName:
            8
        case .tcpFlags: 2 + TCPFlags.names.reduce(0) { $0 + $1.utf8.count + 3 }
        case .processID: 12
        }
    }
}
