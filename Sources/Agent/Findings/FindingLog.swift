import Logging
import Policy
import Synchronization

/// Logs findings about policies, each once.
final class FindingLog: Sendable {
    private let logger: Logger
    private let logged = Mutex<Set<PolicyFinding>>([])

    /// The number of findings that are logged at a time; of the others only the number is logged.
    private static let limit = 20

    /// Writes to a logger.
    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs new findings.
    func note(_ findings: [PolicyFinding]) {
        let fresh = logged.withLock { logged in
            defer { logged = Set(findings) }
            return findings.filter { !logged.contains($0) }
        }
        for finding in fresh.prefix(Self.limit) {
            logger.warning(
                "\(finding)",
                metadata: ["effect": finding.severity == .unusable ? "not in force as written" : "less than it seems"]
            )
        }
        guard fresh.count > Self.limit else { return }
        logger.warning("\(fresh.count - Self.limit) more things are wrong with policies: see weir policy check")
    }
}
