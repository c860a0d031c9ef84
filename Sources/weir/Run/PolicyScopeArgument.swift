import ArgumentParser

/// The subject of the policies that records contain (`--policy-scope`).
enum PolicyScopeArgument: String, ExpressibleByArgument, CaseIterable {
    /// The policies of the ends of a connection.
    case endpoint
    /// Also those of host endpoints, for what this host forwards.
    case all
}
