/// A selection of events.
///
/// A list that is empty chooses everything.
package struct AuditSelection: Sendable {
    /// Resources in the plural (`networkpolicies`, also with a group: `networkpolicies.projectcalico.org`).
    package var resources: [String] = []
    /// Namespaces.
    package var namespaces: [String] = []
    /// Verbs.
    package var verbs: [String] = []
    /// Names of users, real or impersonated; one that ends in `*` is the beginning of names.
    package var users: [String] = []
    /// Stages.
    package var stages: [AuditStage] = []
    /// Whether only requests are selected that would change an object.
    package var writesOnly = false

    /// Selects everything.
    package init() {}

    /// Chooses resources by words: a kind (`NetworkPolicy`), a resource, or either with its API group behind a dot.
    package mutating func choose(kinds: [String]) {
        resources = kinds.map { AuditResource.plural(of: $0) }
    }

    /// Whether an event is selected.
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

    /// The part that all events of an object have in common: its resource and namespace.
    ///
    /// What is compared with earlier states needs the events of other users and verbs, too.
    package var ofObjects: AuditSelection {
        var selection = AuditSelection()
        (selection.resources, selection.namespaces) = (resources, namespaces)
        return selection
    }

    static let writes = ["create", "update", "patch", "delete", "deletecollection"]

    /// A change of a namespace itself belongs to it, and to `create` of one there is no namespace in the request.
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
