import ArgumentParser

/// A scenario of `weir lab`.
enum LabScenario: String, CaseIterable {
    /// The bank application of Calico's tutorials, with a database to which access is denied.
    case yaobank

    private var summary: String {
        switch self {
        case .yaobank:
            "a bank; its web page calls the database, and policies deny it"
        }
    }

    /// All scenarios, one per line.
    static var list: String {
        allCases.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n")
    }

    /// Parses the name of a scenario.
    init(parsing name: String) throws {
        guard let scenario = Self(rawValue: name) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("unknown scenario '\(name)'; scenarios are: \(names)")
        }
        self = scenario
    }
}
