/// The fields of an audit event in a message.
struct SyslogAuditEvent {
    /// Names and values of the event's main members, in the order of syslog parameters.
    let parameters: [(name: String, value: String)]
    /// Whether the request was rejected or failed.
    let isRefused: Bool

    /// The maximum length of a value in characters: object names have at most 253, and clients choose the other values.
    private static let longest = 256

    /// Takes an event; nil if the line is not from an audit log.
    ///
    /// - Parameter fields: the members of a line.
    init?(_ fields: LineFields) {
        guard fields.text("kind") == "Event", fields.text("auditID") != nil else { return nil }
        let target = fields.object("objectRef")
        let code = fields.object("responseStatus")?.text("code")
        let members = [
            ("auditID", fields.text("auditID")), ("stage", fields.text("stage")), ("verb", fields.text("verb")),
            ("user", fields.object("user")?.text("username")),
            ("impersonatedUser", fields.object("impersonatedUser")?.text("username")),
            ("apiGroup", target?.text("apiGroup")), ("resource", target?.text("resource")),
            ("subresource", target?.text("subresource")), ("namespace", target?.text("namespace")),
            ("name", target?.text("name")), ("code", code), ("cluster", fields.text("cluster")),
        ]
        parameters = members.compactMap { name, value in value.map { (name, String($0.prefix(Self.longest))) } }
        isRefused = code.flatMap { Int($0) }.map { $0 >= 400 } ?? false
    }

    /// The event in ArcSight's Common Event Format, version 0.
    ///
    /// - Parameter time: the time of the stage, Unix seconds.
    /// - Returns: the text, without the header of syslog.
    func cef(time: Int64) -> String {
        let values = Dictionary(parameters.map { ($0.name, $0.value) }) { first, _ in first }
        let keys = [
            ("externalId", "auditID"), ("act", "verb"), ("suser", "user"), ("duser", "impersonatedUser"),
            ("outcome", "code"),
        ]
        let strings = ["resource", "namespace", "name", "subresource", "apiGroup", "cluster"]
        var parts = time > 0 ? ["rt=\(time)000"] : []
        parts += keys.compactMap { key, member in values[member].map { "\(key)=\(CEFEvent.escaped($0))" } }
        parts += strings.enumerated().compactMap { index, member in
            values[member].map { "cs\(index + 1)Label=\(member) cs\(index + 1)=\(CEFEvent.escaped($0))" }
        }
        let outcome = isRefused ? "refused" : "done"
        return "CEF:0|Weir|weir|0|audit|API request \(outcome)|\(isRefused ? 5 : 1)|" + parts.joined(separator: " ")
    }
}
