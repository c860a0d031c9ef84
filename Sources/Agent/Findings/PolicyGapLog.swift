import Logging
import Policy

/// Logs once each that options and policies do not fit: what one of them needs from the other is missing.
struct PolicyGapLog {
    private let logger: Logger
    private let host: String
    private var warnsOfDomains: Bool
    private var warnsOfForwarding: Bool

    init(_ configuration: AgentConfiguration, _ logger: Logger) {
        self.logger = logger
        host = configuration.hostName
        warnsOfDomains = !configuration.datapath.collects.contains(.dns)
        warnsOfForwarding = configuration.recordsForwarded
        if !configuration.inventory.hasSources { warnOfForwarding() }
    }

    /// Looks at the current policies; nil while they are not known.
    mutating func note(_ policies: PolicySnapshot?) {
        guard let policies else { return }
        if warnsOfDomains, policies.usesDomains {
            warnsOfDomains = false
            logger.warning(
                "policies have domain names, but DNS is not collected: connections that depend on a name have no policies in records; add dns to --collect"
            )
        }
        if policies.governsForwardedTraffic(ofNode: host) == false { warnOfForwarding() }
    }

    private mutating func warnOfForwarding() {
        guard warnsOfForwarding else { return }
        warnsOfForwarding = false
        logger.warning(
            "no policy governs forwarded traffic: there are no fwd records until this host has a HostEndpoint and a policy has applyOnForward",
            metadata: ["host": "\(host)"]
        )
    }
}
