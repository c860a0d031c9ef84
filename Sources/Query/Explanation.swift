import FlowModel
import Policy
package import Records

/// Explains step by step why a record is allowed or denied.
package struct Explanation: Sendable, Encodable {
    /// The result of one tier.
    package struct Step: Sendable, Encodable {
        package var hit: String
        package var tier: String
        package var policy: String
        package var kind: String
        package var is_staged: Bool
        package var action: String
        package var rule: Int?
        package var text: String
        package var checks: [String] = []
    }

    /// A verdict and the steps that lead to it.
    package struct Verdict: Sendable, Encodable {
        package var action: String
        package var sentence: String
        package var steps: [Step]
        package var is_same: Bool?
    }

    package var now: Verdict
    package var pending: Verdict?
    package var notes: [String]

    /// Explains a record by its own hits.
    package init(_ record: ReadRecord) {
        let words = VerdictWords(record)
        let (deciding, pendingHits) = (record.decidingHits, record.pendingHits)
        now = Verdict(
            action: record.text(.action) ?? "-",
            sentence: words.now,
            steps: deciding.map { Self.step($0) },
            is_same: nil
        )
        pending = nil
        notes = []
        if let action = record.pendingAction {
            pending = Verdict(
                action: action.rawValue,
                sentence: words.pending ?? "pending is the same",
                steps: pendingHits.map { Self.step($0) },
                is_same: pendingHits == deciding
            )
        }
        notes += Self.reporterNotes(record, isKnown: !deciding.isEmpty)
        let cause = record.texts(.causedBy)
        if cause.count >= 3 {
            notes.append("since \(cause[2]) changed \(cause[1])\(cause.count > 3 ? " (likely)" : "")")
        }
        if let reason = record.name(.dropReason) { notes.append("the kernel's reason for the last drop is \(reason)") }
        // An inventory has no reasons for forwarded connections.
        if !deciding.isEmpty, !record.isForwarded { notes.append(Self.inventoryNote) }
    }

    /// The notes that say whose policies the hits are.
    private static func reporterNotes(_ record: ReadRecord, isKnown: Bool) -> [String] {
        if record.isForwarded {
            return [
                isKnown
                    ? "a host forwards the connection: these are the policies of its host endpoints for forwarded traffic"
                    : "a host forwards the connection, and no policies of its host endpoints are known to apply"
            ]
        }
        let reporter =
            record.isDestinationReported
            ? "the destination reports: these are its ingress policies"
            : "the source reports: these are its egress policies"
        return isKnown ? [reporter] : ["no policies are known to apply to the reporting end", reporter]
    }

    /// The note that is added when no inventory is available.
    static let inventoryNote =
        "why the other rules did not match needs an inventory: --inventory PATH of weir run or weir ui, or weir policy trace"

    private static func step(_ text: String) -> Step {
        guard let hit = try? PolicyHit(text) else {
            return Step(
                hit: text,
                tier: "",
                policy: "",
                kind: "",
                is_staged: false,
                action: "",
                rule: nil,
                text: "not readable"
            )
        }
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        return Step(
            hit: text,
            tier: hit.tier,
            policy: String(parts[2]),
            kind: hit.kind.rawValue,
            is_staged: hit.kind.isStaged,
            action: hit.action.rawValue,
            rule: hit.ruleIndex,
            text: hit.words
        )
    }
}
