extension AuditChange {
    /// Whether policies, or the objects that they select, depend on the change, or would if it had succeeded.
    ///
    /// Changes of subresources such as `status` are excluded, and updates of selected objects without a changed label:
    /// there are many thousands of both a day.
    package var concernsPolicies: Bool {
        guard let target = event.target, target.subresource.isEmpty, event.isWrite else { return false }
        switch AuditResource.role(of: target) {
        case .policy: return true
        case .other: return false
        case .service: return !isWithoutDifference
        case .selected:
            if target.resource.hasSuffix("networksets") || target.resource == "hostendpoints" { return true }
            guard event.verb == "update" || event.verb == "patch", basis != .nothing else { return true }
            return changes.contains { $0.path.hasPrefix("label ") || $0.path.hasPrefix("metadata.labels") }
        }
    }

    private var isWithoutDifference: Bool {
        (event.verb == "update" || event.verb == "patch") && basis == .compared && changes.isEmpty
    }
}
