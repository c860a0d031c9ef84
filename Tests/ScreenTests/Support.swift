import FlowModel

/// A line as Weir writes it, with some fields set to JSON values and all others empty.
func recordLine(_ fields: [FlowField: String] = [:]) -> String {
    let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
    return "{\(members.joined(separator: ","))}"
}
