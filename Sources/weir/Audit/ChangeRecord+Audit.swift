import Audit
import Records

extension ChangeRecord {
    /// Converts a change to a record for the store.
    init(_ change: AuditChange) {
        let event = change.event
        let some = { (text: String?) -> String? in text?.isEmpty == false ? text : nil }
        self.init(
            time: Double(event.time > 0 ? event.time : event.receivedAt) / 1e6,
            auditID: event.auditID,
            user: event.user.name,
            verb: event.verb,
            kind: change.kind,
            outcome: change.outcome.rawValue,
            dryRun: event.isDryRun,
            basis: change.basis.rawValue,
            summary: change.summary
        )
        receivedAt = Self.seconds(event.receivedAt)
        role = event.target == nil ? nil : Role(change.role)
        impersonatedUser = event.impersonated?.name
        resource = some(event.target?.resource)
        group = some(event.target?.group)
        namespace = some(change.namespace)
        name = some(change.name)
        names = change.names.isEmpty ? nil : change.names
        remaining = change.remaining.isEmpty ? nil : change.remaining
        finalizers = change.finalizers.isEmpty ? nil : change.finalizers
        isRemoval = change.isRemoval ? true : nil
        subresource = some(event.target?.subresource)
        code = event.status?.code
        message = some(event.status?.message)
        changes = change.changes.map { Difference(path: $0.path, before: $0.before, after: $0.after) }
        moreChanges = change.omitted > 0 ? change.omitted : nil
        state = change.state
        resourceVersion = change.version
    }
}

extension ChangeRecord.Role {
    init(_ role: AuditResource.Role) {
        switch role {
        case .policy: self = .policy
        case .selected: self = .object
        case .service: self = .service
        case .other: self = .other
        }
    }
}

extension AuditChange {
    /// Converts a stored record back; the objects of the request are not stored.
    init(_ record: ChangeRecord) {
        var event = AuditEvent()
        event.auditID = record.auditID
        event.verb = record.verb
        event.user = AuditUser(name: record.user, groups: [])
        event.impersonated = record.impersonatedUser.map { AuditUser(name: $0, groups: []) }
        event.time = ChangeRecord.microseconds(record.time)
        event.receivedAt = record.receivedAt.map { ChangeRecord.microseconds($0) } ?? 0
        event.level =
            [Basis.nothing, .seen].map(\.rawValue).contains(record.basis) ? .metadata : .requestResponse
        event.isDryRun = record.dryRun
        var target = AuditTarget()
        target.resource = record.resource ?? ""
        target.group = record.group ?? ""
        target.namespace = record.namespace ?? ""
        target.name = record.name ?? ""
        target.subresource = record.subresource ?? ""
        event.target = target
        var status = AuditStatus()
        status.code = record.code ?? 0
        status.message = record.message ?? ""
        event.status = status
        self.init(event)
        outcome = AuditOutcome(rawValue: record.outcome) ?? .unfinished
        if outcome == .panicked { self.event.stage = .panic }
        kind = record.kind
        basis = Basis(rawValue: record.basis) ?? .nothing
        names = record.names ?? []
        remaining = record.remaining ?? []
        finalizers = record.finalizers ?? []
        isRemoval = record.isRemoval ?? false
        changes = record.changes.map { ObjectChange(path: $0.path, before: $0.before, after: $0.after) }
        omitted = record.moreChanges ?? 0
        version = record.resourceVersion
    }
}
