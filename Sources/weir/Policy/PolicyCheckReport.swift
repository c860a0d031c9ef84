import ClusterModel
import ClusterSource
import Foundation
import Policy

/// The findings about policies, by location.
struct PolicyCheckReport {
    private let findings: [FileFinding]
    private let files: Int
    private let counts: [(kind: String, isPolicy: Bool, count: Int)]

    /// Collects the findings of the files and of the policies.
    init(_ sources: PolicySources, _ files: FileCheckReport) {
        // Findings about other objects are reported by `weir inventory check`.
        let ofFiles = files.findings.filter { $0.object.map { Self.isShown($0.kind) } ?? true }
        let found = sources.findings.map { FileFinding($0, place: sources.place(of: $0.object)) }
        let withoutNamespace = sources.withoutNamespace.map {
            FileFinding(withoutNamespace: $0, place: sources.place(of: $0))
        }
        let all = Self.withoutEffects(Self.merged(ofFiles, found + withoutNamespace))
        findings = all.enumerated().sorted {
            ($0.element.path, $0.element.line ?? 0, $0.offset) < ($1.element.path, $1.element.line ?? 0, $1.offset)
        }.map(\.element)
        self.files = files.files
        let counts = sources.counts
        self.counts = ObjectKind.allCases.compactMap { kind in
            counts[kind].map { (kind.rawValue, kind.isPolicy, $0) }
        }
    }

    private static func isShown(_ kind: ObjectKind) -> Bool {
        [.hostEndpoint, .felixConfiguration].contains(kind) || kind.isOfPolicies
    }

    /// The findings of files and policies without duplicates: files provide the line, policies the effect.
    private static func merged(_ ofFiles: [FileFinding], _ found: [FileFinding]) -> [FileFinding] {
        var places: [ProblemKey: [Int]] = [:]
        for (index, finding) in ofFiles.enumerated() { places[ProblemKey(finding), default: []].append(index) }
        var result = ofFiles
        for var finding in found {
            guard let index = places[ProblemKey(finding)]?.popLast() else {
                result.append(finding)
                continue
            }
            (finding.path, finding.line) = (ofFiles[index].path, ofFiles[index].line)
            result[index] = finding
        }
        return result
    }

    /// Removes warnings explained by an error at the same location.
    ///
    /// These are warnings about the same field, or about a rule that can never match because a part of it is refused.
    private static func withoutEffects(_ findings: [FileFinding]) -> [FileFinding] {
        var errors: [ObjectReference: [String]] = [:]
        for finding in findings where finding.severity == .error {
            if let object = finding.object, let field = finding.field { errors[object, default: []].append(field) }
        }
        return findings.filter { finding in
            guard finding.severity == .warning, let object = finding.object, let field = finding.field,
                let errors = errors[object]
            else { return true }
            let isEffect = finding.reason.hasPrefix("can never match")
            return !errors.contains { error in
                error == field || isEffect && (error.hasPrefix("\(field).") || error.hasPrefix("\(field)["))
            }
        }
    }

    /// The number of findings with a severity.
    func count(_ severity: FileFinding.Severity) -> Int {
        findings.count { $0.severity == severity }
    }

    // MARK: Text

    /// A line for each finding, and one with the counts.
    var lines: [String] { findings.map(\.description) + [summary] }

    private var policies: Int { counts.reduce(0) { $0 + ($1.isPolicy ? $1.count : 0) } }

    /// A text such as `2 files, 12 policies (4 NetworkPolicy, 8 GlobalNetworkPolicy), 3 Tier: 1 error, 0 warnings`.
    private var summary: String {
        let kinds = counts.filter(\.isPolicy).map { "\($0.count) \($0.kind)" }.joined(separator: ", ")
        let others = counts.filter { !$0.isPolicy }.map { ", \($0.count) \($0.kind)" }.joined()
        let total = (policies == 1 ? "1 policy" : "\(policies) policies") + (kinds.isEmpty ? "" : " (\(kinds))")
        let read = files == 0 ? total : "\(FileCheckReport.counted(files, "file")), \(total)"
        let errors = FileCheckReport.counted(count(.error), "error")
        return "\(read)\(others): \(errors), \(FileCheckReport.counted(count(.warning), "warning"))"
    }

    // MARK: JSON

    private struct SummaryLine: Encodable {
        var files: Int
        var policies: Int
        var objects: [String: Int]
        var errors: Int
        var warnings: Int
    }

    /// The same as JSON.
    func jsonLines() throws -> [String] {
        let encoder = JSONEncoder.forLines
        let lines = try findings.map { try encoder.line(FindingLine($0)) }
        let summary = SummaryLine(
            files: files,
            policies: policies,
            objects: Dictionary(uniqueKeysWithValues: counts.map { ($0.kind, $0.count) }),
            errors: count(.error),
            warnings: count(.warning)
        )
        return lines + [try encoder.line(summary)]
    }
}

/// The common key of two findings that report the same problem of an object.
private struct ProblemKey: Hashable {
    var object: ObjectReference?
    var text: String

    init(_ finding: FileFinding) {
        object = finding.object
        text = [finding.field, finding.reason].compactMap(\.self).joined(separator: ": ")
    }
}

extension FileFinding {
    fileprivate init(withoutNamespace object: ObjectReference, place: String?) {
        let namespace = object.namespace ?? "default"
        let message = "there is no namespace '\(namespace)', so that an API server refuses the object; create it first"
        self.init(
            PolicyFinding(object: object, path: "metadata.namespace", severity: .unusable, message: message),
            place: place
        )
    }

    fileprivate init(_ finding: PolicyFinding, place: String?) {
        let place = place ?? "?"
        // The location in a file ends with a line number; the location on a server does not.
        let colon = place.lastIndex(of: ":")
        let line = colon.flatMap { place.hasPrefix("http") ? nil : Int(place[place.index(after: $0)...]) }
        self.init(
            path: line == nil ? place : colon.map { String(place[..<$0]) } ?? place,
            line: line,
            severity: finding.severity == .unusable ? .error : .warning,
            object: finding.object,
            field: finding.path,
            position: finding.position,
            reason: finding.message
        )
    }
}
