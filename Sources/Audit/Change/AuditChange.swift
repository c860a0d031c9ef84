/// A write request, successful or not.
package struct AuditChange: Sendable {
    /// The source of the differences.
    package enum Basis: String, Sendable {
        /// The object before and after the request.
        case compared
        /// The object in the request; the object before is not known.
        case sent
        /// There are no differences: the log does not contain the objects of this request.
        case nothing
        /// There are no differences: the change was found in the object, and no available audit log contains the request.
        case seen
    }

    /// The last stage of the request.
    package var event: AuditEvent
    /// The outcome of the request.
    package var outcome: AuditOutcome
    /// The role of the object for policies.
    package let role: AuditResource.Role
    /// The object's kind, as displayed.
    package var kind: String
    /// The object's namespace; empty if it has none.
    package var namespace: String
    /// The object's name; empty for a request for several objects.
    package var name: String
    /// The differences; for a dry run, those that it would have made.
    package var changes: [ObjectChange] = []
    /// The number of differences that are not listed.
    package var omitted = 0
    /// The source of the differences.
    package var basis = Basis.nothing
    /// The objects of a request for several objects.
    package var names: [String] = []
    /// The objects that the request deletes only after their finalizers are removed; they exist until then.
    package var remaining: [String] = []
    /// The finalizers of the remaining objects.
    package var finalizers: [String] = []
    /// Whether an update or a patch removed the object's last finalizer, and so the object.
    package var isRemoval = false
    /// The object's version (`resourceVersion`) after the request, or at its deletion; nil if the log does not have it.
    package var version: String?
    /// The object after the request as JSON, if policies are built from it; nil for other objects, or if it was not logged.
    package var state: String?

    /// Creates a change without differences.
    package init(_ event: AuditEvent) {
        self.event = event
        outcome = event.outcome
        let target = event.target
        role = target.map { AuditResource.role(of: $0) } ?? .other
        kind = target.map { AuditResource.kind(of: $0) } ?? event.requestURI
        namespace = target?.resource == "namespaces" ? "" : target?.namespace ?? ""
        name = target?.name ?? ""
    }

    /// The user, and the impersonated user.
    package var who: String {
        // An unauthenticated request (401) has no user.
        let user = event.user.name.isEmpty ? "an unknown user" : event.user.name
        guard let impersonated = event.impersonated else { return user }
        return "\(user) as \(impersonated.name)"
    }

    /// The object as text, such as `NetworkPolicy shop/db-allow`.
    package var object: String {
        if event.verb == "deletecollection" {
            let number = names.isEmpty ? "all objects" : "\(names.count) objects"
            return "\(number) of \(kind)" + (namespace.isEmpty ? "" : " in \(namespace)")
        }
        let part = event.target?.subresource ?? ""
        var text = part.isEmpty ? kind : "\(part) of \(kind)"
        if !namespace.isEmpty {
            text += name.isEmpty ? " in " : " "
            text += namespace
        }
        if !name.isEmpty {
            text += namespace.isEmpty ? " " : "/"
            text += name
        }
        return text
    }

    /// The change in one line, without its time.
    package var summary: String {
        switch outcome {
        case .done where event.verb == "delete" && !remaining.isEmpty:
            "\(who) asked to delete \(object): it stays until its finalizers are removed\(waiting)"
        case .done where isRemoval: "\(who) removed the last finalizer of \(object), which deleted it\(details)"
        case .done: "\(who) \(event.isCreation ? "created" : Self.past(event.verb)) \(object)\(details)"
        case .dryRun: "\(who) tried out to \(verb) \(object): dry run, nothing changed\(details)"
        case .denied: "\(who) was denied to \(verb) \(object): nothing changed\(reason)"
        case .conflict: "\(who) could not \(verb) \(object): conflict, nothing changed\(reason)"
        case .failed: "\(who) failed to \(verb) \(object): nothing changed\(reason)"
        case .panicked: "\(who) asked to \(verb) \(object): the API server crashed, the outcome is unknown"
        case .unfinished: "\(who) asked to \(verb) \(object): its completion is not in the log"
        }
    }

    private var verb: String { event.verb == "deletecollection" ? "delete" : event.verb }

    private var reason: String {
        guard let status = event.status else { return "" }
        return status.message.isEmpty ? " (\(status.code))" : " (\(status.code): \(ObjectWords.short(status.message)))"
    }

    private var waiting: String { finalizers.isEmpty ? "" : ": " + Self.list(finalizers) }

    private static func list(_ names: [String]) -> String {
        names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    }

    private var details: String {
        if !names.isEmpty {
            let rest = remaining.isEmpty ? "" : "; until finalizers are removed there stay: \(Self.list(remaining))"
            return ": " + Self.list(names) + rest
        }
        let shown = changes.prefix(6)
        let more = changes.count - shown.count + omitted
        if more > 0 || !shown.isEmpty {
            var text = ""
            for change in shown {
                text += text.isEmpty ? ": " : "; "
                text += change.description
            }
            return more > 0 ? "\(text)\(text.isEmpty ? ": " : "; ")\(more) more" : text
        }
        if basis == .seen { return ": seen in the object (\(event.auditID)); no audit log here has the request" }
        guard event.verb == "update" || event.verb == "patch" else { return "" }
        switch basis {
        case .compared: return ": no difference"
        case .sent, .nothing, .seen: return event.level < .request ? ": the log has no objects of this level" : ""
        }
    }

    private static func past(_ verb: String) -> String {
        switch verb {
        case "create": "created"
        case "update": "updated"
        case "patch": "patched"
        case "delete", "deletecollection": "deleted"
        case "get": "read"
        case "list": "listed"
        case "watch": "watched"
        default: verb
        }
    }
}
