import FlowModel
import Policy

/// The reason for a record's verdict as text, from the record's own fields.
package struct VerdictWords: Sendable {
    /// The current verdict as a sentence.
    package var now: String
    /// The verdict as if staged policies were enforced; nil if it is the same or not known.
    package var pending: String?
    /// The policy and rule that decided, in short form: `application.allow-customer 0`, `application default`.
    ///
    /// It is empty if nothing is known.
    package var decidedBy: String

    /// Reads the hits of a record.
    package init(_ record: ReadRecord) {
        let deciding = record.decidingHits.last
        let decision = deciding.flatMap { try? PolicyHit($0) }
        decidedBy = decision.map(Self.short) ?? deciding ?? ""
        now = Self.sentence(record, decision)
        guard record.isPendingDifferent, let last = record.pendingHits.last, let action = record.pendingAction else {
            return
        }
        let hit = try? PolicyHit(last)
        pending = "\(action.rawValue): \(hit?.words ?? last)"
    }

    private static func sentence(_ record: ReadRecord, _ decision: PolicyHit?) -> String {
        let action = record.text(.action) ?? "-"
        let reason = record.name(.dropReason)
        guard let decision else {
            guard record.isDenied else { return "\(action): no policy is known that applies" }
            let why = reason.map { " (\($0))" } ?? ""
            return "deny: the kernel dropped it by decision\(why); no known policy denies it"
        }
        let decided = decision.action.rawValue
        if decided != PolicyHit.Action.pass.rawValue, decided != action {
            return "\(action) by the kernel, although \(decision.words): the two disagree"
        }
        return "\(action): \(decision.words)"
    }

    private static func short(_ hit: PolicyHit) -> String {
        if hit.kind == .profile { return "profile \(hit.name)" }
        if hit.isEndOfTier { return "\(hit.tier) default" }
        let policy = hit.name.hasPrefix("\(hit.tier).") ? hit.name : "\(hit.tier).\(hit.name)"
        return hit.ruleIndex.map { "\(policy) \($0)" } ?? policy
    }
}
