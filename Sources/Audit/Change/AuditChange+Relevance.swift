extension AuditChange {
    /// Whether policies, or the objects that they select, depend on the change, or would if it had succeeded.
    ///
    /// Updates of selected objects without a changed label are excluded: there are many thousands a day. Of subresources such
    /// as `status` only changed labels count, and evictions.
    package var concernsPolicies: Bool {
        guard let target = event.target, event.isWrite else { return false }
        guard target.subresource.isEmpty else {
            return AuditResource.role(of: target) == .selected && (changesLabels || target.subresource == "eviction")
        }
        switch AuditResource.role(of: target) {
        case .policy: return true
        case .other: return false
        case .service: return !isWithoutDifference
        case .selected:
            if target.resource.hasSuffix("networksets") || target.resource == "hostendpoints" { return true }
            guard event.verb == "update" || event.verb == "patch", basis != .nothing else { return true }
            return changesLabels
        }
    }

    /// Whether labels are different, or a patch has some.
    package var changesLabels: Bool {
        changes.contains { $0.path.hasPrefix("label ") || $0.path.hasPrefix("metadata.labels") }
    }

    private var isWithoutDifference: Bool {
        (event.verb == "update" || event.verb == "patch") && basis == .compared && changes.isEmpty
    }
}
