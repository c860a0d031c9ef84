import ArgumentParser

/// What `weir lab` can play.
enum LabScenario: String, CaseIterable {
    /// The bank of Calico's tutorials: a database that is denied.
    case yaobank

    private var summary: String {
        switch self {
        case .yaobank:
            "a bank; its web page calls the database, and policies deny it"
        }
    }

    /// All of them, a line each.
    static var list: String {
        allCases.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n")
    }

    /// Finds one by its name.
    init(parsing name: String) throws {
        guard let scenario = Self(rawValue: name) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no scenario '\(name)'; there is: \(names)")
        }
        self = scenario
    }
}
