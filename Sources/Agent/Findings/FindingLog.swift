import Logging
import Policy
import Synchronization

/// Logs findings about policies, each once.
final class FindingLog: Sendable {
    private let logger: Logger
    private let told = Mutex<Set<PolicyFinding>>([])

    /// Findings that are named at a time; of more, how many there are.
    private static let limit = 20

    /// Writes to a logger.
    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Takes in all that is wrong now.
    func note(_ findings: [PolicyFinding]) {
        let news = told.withLock { told in
            defer { told = Set(findings) }
            return findings.filter { !told.contains($0) }
        }
        for finding in news.prefix(Self.limit) {
            logger.warning(
                "\(finding)",
                metadata: ["effect": finding.severity == .unusable ? "not in force as written" : "less than it seems"]
            )
        }
        guard news.count > Self.limit else { return }
        logger.warning("\(news.count - Self.limit) more things are wrong with policies: see weir policy check")
    }
}
