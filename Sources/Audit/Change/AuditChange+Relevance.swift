extension AuditChange {
    /// Whether the change is one that policies, or what they select, depend on, or would be if it had succeeded.
    ///
    /// Parts of objects are not, as status updates, nor are objects that policies select of which no label changed: there are
    /// many thousands of both a day.
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
