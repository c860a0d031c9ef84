import ArgumentParser

/// Whose policies records have (`--policy-scope`).
enum PolicyScopeArgument: String, ExpressibleByArgument, CaseIterable {
    /// Those of the ends of a connection.
    case endpoint
    /// Also those of host endpoints, for what this host forwards.
    case all
}
