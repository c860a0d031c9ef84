import FlowModel

/// The plan for writing a record as a line: constant texts with values between them, made once from the catalogue.
///
/// Keys, separators and the values of fields that are never filled are joined into constants that are as long as possible.
struct JSONPlan: ~Copyable {
    /// A constant text and the value after it.
    struct Step {
        /// The start of the text in ``JSONPlan/texts``.
        let offset: Int
        /// The number of the text's bytes.
        let count: Int
        /// The value after the text; ``JSONRule/empty`` after the last text.
        let value: JSONRule
    }

    /// All constant texts, concatenated.
    private(set) var texts = ByteBuffer(capacity: 2048)
    /// The steps of the line, in order.
    private(set) var steps: [Step] = []
    /// The maximum size of a line, without cached texts.
    private(set) var maximumSize = 0

    /// Makes the plan for fields of the catalogue, in their order; the fields of a service must be adjacent.
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
    /// The maximum size of the value, without cached texts, which are counted separately.
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
