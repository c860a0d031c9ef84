/// Selects events.
///
/// An empty list matches all events.
package struct AuditSelection: Sendable {
    /// Resources in the plural, optionally with a group: `networkpolicies.projectcalico.org`.
    package var resources: [String] = []
    /// Namespaces.
    package var namespaces: [String] = []
    /// Verbs.
    package var verbs: [String] = []
    /// User names, actual or impersonated; a name that ends in `*` is a prefix.
    package var users: [String] = []
    /// Stages.
    package var stages: [AuditStage] = []
    /// Whether only write requests for objects match.
    package var writesOnly = false

    /// Selects everything.
    package init() {}

    /// Sets the resources from users' words: a kind (`NetworkPolicy`) or a resource, each optionally with `.` and its API
    /// group.
    package mutating func choose(kinds: [String]) {
        resources = kinds.map { AuditResource.plural(of: $0) }
    }

    /// Whether the selection matches an event.
    package func matches(_ event: AuditEvent) -> Bool {
        if writesOnly, !event.isWrite { return false }
        if !stages.isEmpty, !stages.contains(event.stage) { return false }
        if !verbs.isEmpty, !verbs.contains(event.verb) { return false }
        if !namespaces.isEmpty, !namespaces.contains(where: { $0 == event.target?.namespace || isNamespace($0, event) })
        {
            return false
        }
        if !users.isEmpty, !users.contains(where: { Self.isUser($0, of: event) }) { return false }
        guard !resources.isEmpty else { return true }
        guard let target = event.target else { return false }
        return resources.contains { $0 == target.resource || $0 == "\(target.resource).\(target.group)" }
    }

    /// The selection by object only: resource and namespace.
    ///
    /// Comparisons with earlier states need the events of other users and verbs, too.
    package var ofObjects: AuditSelection {
        var selection = AuditSelection()
        (selection.resources, selection.namespaces) = (resources, namespaces)
        return selection
    }

    static let writes = ["create", "update", "patch", "delete", "deletecollection"]

    /// Whether an event is about a namespace itself.
    ///
    /// The request to create a namespace contains no namespace.
    private func isNamespace(_ name: String, _ event: AuditEvent) -> Bool {
        event.target?.resource == "namespaces" && event.target?.name == name
    }

    private static func isUser(_ pattern: String, of event: AuditEvent) -> Bool {
        [event.user.name, event.impersonated?.name].contains { name in
            guard let name else { return false }
            return pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : name == pattern
        }
    }
}
