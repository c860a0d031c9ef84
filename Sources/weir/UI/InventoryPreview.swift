import API
import ClusterModel
import ClusterSource
import Policy
import Query

/// Evaluates policy changes from clients against a loaded inventory.
struct InventoryPreview: PolicyPreviewing {
    private let sources: PolicySources
    private let before: PolicyTracer

    /// The maximum number of findings in an answer.
    private static let findingLimit = 20

    /// Takes the loaded sources.
    init(_ sources: PolicySources) {
        self.sources = sources
        before = sources.tracer
    }

    var groupBy: [GroupName] { RecordedConnection.groupByReporter }
    var sums: [Measure] { RecordedConnection.sums }

    func preview(_ change: [UInt8], enforcesStaged: Bool) throws -> Evaluation {
        let objects = try Self.objects(change, isNeeded: !enforcesStaged)
        let applied = PolicyChange(applied: objects)
        let after = sources.forked()
        try applied.apply(to: after)
        let tracer = after.tracer
        let changed = PolicyPreview(before: before, after: tracer, enforcesStaged: enforcesStaged)
        var lines = applied.lines(before: before.directory)
        if enforcesStaged { lines.append("~ staged policies are enforced") }
        let warnings =
            Self.warnings(after, of: objects)
            + applied.warnings(before: before.policies, after: tracer.policies, enforcesStaged: enforcesStaged)
        return { recorded, deadline in
            let connections = RecordedConnection.each(of: recorded)
            var preview = changed
            guard preview.judge(connections, by: deadline) else {
                throw APIError(503, "unavailable", nil, "this takes too long: choose a shorter range, or a filter")
            }
            let evidence = PreviewEvidence(recorded, connections, since: 0, until: 0)
            return PreviewShape(preview, changes: lines, warnings: warnings, evidence)
        }
    }

    /// The objects of a change.
    ///
    /// - Throws: `APIError` if an object is invalid: the preview would differ from the effect of the change.
    private static func objects(_ change: [UInt8], isNeeded: Bool) throws(APIError) -> [ClusterObject] {
        let text: TextObjects
        do throws(FileFault) {
            text = try TextObjects(change, name: "change")
        } catch {
            throw refusal(error.line.map { "line \($0): \(error.reason)" } ?? error.reason)
        }
        let faults = text.findings.filter { $0.severity == .error }
        guard faults.isEmpty else {
            let lines = faults.prefix(findingLimit).map { finding in
                finding.line.map { "line \($0): \(finding.message)" } ?? finding.message
            }
            throw refusal(lines.joined(separator: "\n"))
        }
        guard !text.objects.isEmpty || !isNeeded else {
            throw refusal("it has no object of a kind that policies depend on")
        }
        return text.objects
    }

    private static func refusal(_ reason: String) -> APIError { APIError(400, "bad_change", nil, reason) }

    /// Findings about the policies of the change, which passed validation.
    private static func warnings(_ after: PolicySources, of objects: [ClusterObject]) -> [String] {
        let own = Set(objects.map(\.reference))
        return after.findings.filter { own.contains($0.object) }.prefix(findingLimit).map(\.description)
    }
}
