extension AuditChange {
    /// Whether policies, or the objects that they select, depend on the change, or would if it had succeeded.
    ///
    /// Updates of selected objects without a changed label are excluded, because there are many thousands a day. For
    /// subresources such as `status`, only changed labels and evictions count.
    package var concernsPolicies: Bool {
        guard let target = event.target, event.isWrite else { return false }
        guard target.subresource.isEmpty else {
            return role == .selected && (changesLabels || target.subresource == "eviction")
        }
        switch role {
        case .policy: return true
        case .other: return false
        case .service: return !isWithoutDifference
        case .selected:
            guard !target.hasAddresses else { return true }
            guard event.verb == "update" || event.verb == "patch", basis != .nothing else { return true }
            return changesLabels
        }
    }

    /// Whether labels differ, or a patch contains labels.
    package var changesLabels: Bool {
        changes.contains { $0.path.hasPrefix("label ") || $0.path.hasPrefix("metadata.labels") }
    }

    private var isWithoutDifference: Bool {
        (event.verb == "update" || event.verb == "patch") && basis == .compared && changes.isEmpty
    }
}

extension AuditTarget {
    /// Whether policies select the object only by labels: its own, or those of the objects in it.
    var isSelectedByLabels: Bool {
        AuditResource.role(of: self) == .selected && !(subresource.isEmpty && hasAddresses)
    }

    /// Whether the object names addresses that policies select.
    fileprivate var hasAddresses: Bool { resource.hasSuffix("networksets") || resource == "hostendpoints" }
}
