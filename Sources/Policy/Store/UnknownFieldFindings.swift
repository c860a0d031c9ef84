import ClusterModel

/// Findings about object members that the API does not define.
enum UnknownFieldFindings {
    /// Returns one finding for each recorded member, and one with the number of further members.
    static func findings(_ object: ClusterObject) -> [PolicyFinding] {
        let unknown = object.unknownFields
        guard !unknown.isEmpty else { return [] }
        let reference = object.reference
        var findings = unknown.fields.map { field in
            PolicyFinding(object: reference, path: field.path, severity: .unusable, message: field.reason)
        }
        if unknown.omitted > 0 {
            let message = "\(unknown.omitted) more fields that do not exist"
            findings.append(PolicyFinding(object: reference, path: "spec", severity: .unusable, message: message))
        }
        return findings
    }
}
