import FlowModel
import Records
import Store

/// An event of the timeline.
struct TimelineEvent: Encodable {
    var time: Int64
    var kind: String
    var change: String
    var verb: String
    var outcome: String
    var title: String
    var namespace: String?
    var user: String
    var detail: String
    var diff: String?
    var audit_id: String
    var connections: UInt64
    var verdicts_changed: [TimelineVerdict]
}

/// Connections whose verdict changed because of an event.
struct TimelineVerdict: Encodable {
    var source: String
    var dest: String
    var port: String
    var reporter: String
    var before: String
    var after: String
    var rule_before: String
    var rule: String
    var connections: UInt64
    var time: Int64
    var is_likely: Bool
}

struct TimelineShape: Encodable {
    var range: RangeShape
    var events: [TimelineEvent]
    var is_complete: Bool
}

extension API {
    /// The roles of changes that the timeline shows.
    static let timelineRoles: [ChangeRecord.Role] = [.policy, .object, .service]

    /// Changes of the cluster, newest first; the limit is per role, so that pod changes do not displace policy changes.
    func timeline(_ request: APIRequest) throws -> APIAnswer {
        try request.allow(.timeline)
        let limit = try request.number("limit", of: .timeline)
        let asked = try request.word("role", of: .timeline)
        return try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            var events: [TimelineEvent] = []
            var isComplete = true
            for role in Self.timelineRoles where asked == "any" || asked == role.rawValue {
                let changes = try snapshot.changes(
                    ChangeQuery(
                        since: (scope.since + 1) * 1_000_000,
                        until: (scope.until + 1) * 1_000_000,
                        role: role,
                        limit: limit + 1
                    )
                )
                isComplete = isComplete && changes.count <= limit
                events += changes.prefix(limit).map { TimelineEvent($0, role) }
            }
            events.sort { $0.time > $1.time }
            return Self.json(TimelineShape(range: scope.shape, events: events, is_complete: isComplete))
        }
    }
}

extension TimelineEvent {
    init(_ change: ChangeRecord, _ role: ChangeRecord.Role) {
        let verdicts = change.verdictsChanged ?? []
        let difference = change.difference
        self.init(
            time: ChangeRecord.microseconds(change.time) / 1_000_000,
            kind: role.rawValue,
            change: change.outcome == "done" ? Self.past(change) : "\(change.verb): \(change.outcome)",
            verb: change.verb,
            outcome: change.outcome,
            title: change.object,
            namespace: change.namespace,
            user: change.who,
            detail: change.outcome == "done" && change.remaining == nil ? "" : change.summary,
            diff: difference.isEmpty ? nil : difference,
            audit_id: change.auditID,
            connections: verdicts.reduce(0) { $0 &+ $1.connections },
            verdicts_changed: verdicts.map { TimelineVerdict($0) }
        )
    }

    private static func past(_ change: ChangeRecord) -> String {
        switch change.verb {
        case _ where change.isCreation: "created"
        case _ where !change.deleted.isEmpty: "deleted"
        case "update", "patch": "changed"
        case "delete", "deletecollection": change.remaining == nil ? "deleted" : "to be deleted"
        default: change.verb
        }
    }
}

extension TimelineVerdict {
    init(_ verdict: VerdictChange) {
        self.init(
            source: verdict.source,
            dest: verdict.dest,
            port: verdict.port,
            reporter: verdict.reporter,
            before: verdict.before,
            after: verdict.after,
            rule_before: verdict.ruleBefore,
            rule: verdict.rule,
            connections: verdict.connections,
            time: verdict.time,
            is_likely: verdict.isLikely
        )
    }
}
