import Datapath
import FlowModel
import Logging
import Policy

/// Reads entries of logging rules of the packet filter, for the thread that reads the kernel; logs problems with them.
final class VerdictReader {
    /// The longest time that logged packets may wait in the kernel, ns.
    static let interval: Int64 = 100_000_000

    private let log: VerdictLog
    private let logger: Logger

    /// Subscribes to the groups; nil if there are none.
    ///
    /// - Parameters:
    ///   - groups: the groups, each once.
    ///   - format: the format of policy hits.
    ///   - logger: for the groups that are read, and entries that cannot be understood.
    /// - Throws: the reason why a group cannot be subscribed to.
    init?(_ groups: [UInt16], format: PolicyFormat = .enterprise, logger: Logger) throws(AgentError) {
        guard !groups.isEmpty else { return nil }
        do throws(DatapathError) {
            log = try VerdictLog(groups: groups) { Self.rule($0, format, logger) }
        } catch {
            throw .datapath(error)
        }
        self.logger = logger
        logger.info(
            "reading the verdicts of log rules",
            metadata: [
                "groups": "\(groups.map(String.init).joined(separator: " "))",
                "connections": log.hasConnections ? "known" : "unknown: NAT is not resolved",
            ]
        )
    }

    private static func rule(_ prefix: String, _ format: PolicyFormat, _ logger: Logger) -> LoggedRule? {
        switch LogPrefixMeaning(of: prefix, format) {
        case .rule(let rule):
            logger.debug("log prefix", metadata: ["prefix": "\(prefix)", "hit": "\(rule.hit)"])
            return rule
        case .staged:
            logger.debug("log prefix of a staged policy: not in force", metadata: ["prefix": "\(prefix)"])
        case .noVerdict:
            logger.warning(
                "log prefix without a verdict: ignored; add a word to it that names the rule's action",
                metadata: ["prefix": "\(prefix)", "words": "drop deny reject block, accept allow permit"]
            )
        }
        return nil
    }

    /// Counts of logged packets so far.
    var statistics: VerdictLog.Statistics { log.statistics }

    /// Reads the entries that wait in the kernel, and waits for nothing.
    func drain() {
        log.drain()
    }

    /// Takes the verdicts that were read since the last time.
    func take() -> [LoggedVerdict] { log.take() }

    /// Unsubscribes, and reads the entries that were logged until now.
    func finish() {
        log.finish()
        let statistics = log.statistics
        logger.info(
            "log rules read",
            metadata: [
                "packets": "\(statistics.packets)", "judged": "\(statistics.judged)", "lost": "\(statistics.lost)",
                "crowded_out": "\(statistics.crowdedOut)", "without_verdict": "\(statistics.withoutVerdict)",
                "unparsed": "\(statistics.unparsed)",
            ]
        )
    }
}
