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
        let (enforced, pendingHits) = (record.enforcedHits, record.pendingHits)
        now = Verdict(
            action: record.text(.action) ?? "-",
            sentence: words.now,
            steps: enforced.map { Self.step($0) },
            is_same: nil
        )
        pending = nil
        notes = []
        if let action = record.pendingAction {
            pending = Verdict(
                action: action.rawValue,
                sentence: words.pending ?? "pending is the same",
                steps: pendingHits.map { Self.step($0) },
                is_same: pendingHits == enforced
            )
        }
        if enforced.isEmpty { notes.append("no policies are known to apply to the reporting end") }
        if record.isDestinationReported {
            notes.append("the destination reports: these are its ingress policies")
        } else {
            notes.append("the source reports: these are its egress policies")
        }
        let cause = record.texts(.causedBy)
        if cause.count >= 3 {
            notes.append("since \(cause[2]) changed \(cause[1])\(cause.count > 3 ? " (likely)" : "")")
        }
        if let reason = record.name(.dropReason) { notes.append("the kernel's reason for the last drop is \(reason)") }
        if !enforced.isEmpty {
            notes.append(Self.inventoryNote)
        }
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
