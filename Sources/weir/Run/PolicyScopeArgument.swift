import ArgumentParser

/// The subject of the policies that records contain (`--policy-scope`).
enum PolicyScopeArgument: String, ExpressibleByArgument, CaseIterable {
    /// The policies of the ends of a connection.
    case endpoint
    /// Also the policies of host endpoints for connections that this host forwards.
    case all
}
