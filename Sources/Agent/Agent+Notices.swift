import Datapath
import Logging

extension Agent {
    /// Logs what the datapath reports, each kind at its level.
    static func log(_ notice: Datapath.Notice, to logger: Logger) {
        switch notice {
        case .attached(let name, let index, let role, let reason, let mechanism):
            logger.info(
                "watching \(name)",
                metadata: [
                    "ifindex": "\(index)", "role": "\(role.name)", "because": "\(reason)", "attach": "\(mechanism)",
                ]
            )
        case .roleChanged(let name, let index, let role, let reason):
            logger.info(
                "role of \(name) is now \(role.name)",
                metadata: ["ifindex": "\(index)", "because": "\(reason)"]
            )
        case .detached(let name, let index):
            logger.info("no longer watching \(name)", metadata: ["ifindex": "\(index)"])
        case .renamed(let old, let new):
            logger.info("\(old) is now \(new)")
        case .reattached(let name, let index, let ingress, let egress):
            logger.error(
                "the programs were removed from \(name) and are attached again; the traffic in between is in no record",
                metadata: [
                    "ifindex": "\(index)", "packets_in": "\(ingress.packets)", "packets_out": "\(egress.packets)",
                    "bytes_in": "\(ingress.bytes)", "bytes_out": "\(egress.bytes)",
                ]
            )
        case .removed(let name, let reason):
            logger.error(
                "the programs were removed from \(name) and cannot be attached again: its traffic is in no record",
                metadata: ["reason": "\(reason)"]
            )
        case .leftOut(let name, let reason):
            logger.info("not watching \(name): \(reason)")
        case .countedTwice(let upper, let lower):
            logger.warning(
                "packets that cross \(upper) and \(lower) are counted on both: leave one out with --exclude-interface"
            )
        case .dropsUnavailable(let reason):
            logger.warning("drops are not seen", metadata: ["reason": "\(reason)"])
        case .socketsUnavailable(let reason):
            logger.warning(
                "sockets are not read: the fields tcp_* and process_* stay empty",
                metadata: ["reason": "\(reason)"]
            )
        case .olderSocketsUnavailable(let reason):
            logger.warning(
                "sockets that are older than this run are not read, or not all: the fields tcp_* and process_* of their connections stay empty",
                metadata: ["reason": "\(reason)"]
            )
        case .processesUnavailable(let reason):
            logger.warning(
                "programs of processes are not remembered: those that end at once have neither path nor arguments in records",
                metadata: ["reason": "\(reason)"]
            )
        case .datagramsUnavailable(let reason):
            logger.warning(
                "owners of UDP sockets are not read, or not of all: the fields process_* of UDP stay empty",
                metadata: ["reason": "\(reason)"]
            )
        case .dnsUnavailable(let reason):
            logger.warning(
                "DNS messages are not read: dest_domains and the DNS log stay empty",
                metadata: ["reason": "\(reason)"]
            )
        case .addressesHidden:
            logger.warning(
                """
                the kernel keeps the addresses of its functions to itself: what XDP programs and nfqueues drop is not seen as \
                denied; give CAP_SYSLOG, with kernel.kptr_restrict at most 1
                """
            )
        case .unpinned(let reason):
            logger.warning(
                "nothing is pinned: what is counted while no agent runs is lost",
                metadata: ["reason": "\(reason)"]
            )
        case .resumed(let flows, let interfaces):
            logger.info(
                "going on where an agent before ended",
                metadata: ["flows": "\(flows)", "interfaces": "\(interfaces)"]
            )
        case .draining(let layout):
            logger.info("reading the flow table of an agent before to its end", metadata: ["layout": "\(layout)"])
        case .drainingTotals(let layout):
            logger.notice(
                """
                the flow table of an agent before is of another version: what it counted and no record has is reported for each \
                interface, without the other end
                """,
                metadata: ["layout": "\(layout)"]
            )
        case .unreadable(let layout):
            logger.error(
                """
                the flow table of an agent before is of another version and not described: what it counted since its last flush is in no \
                record, and it stays; stop this run, run the version that made it for one flush, and start this one again; or remove the \
                table with weir detach
                """,
                metadata: ["layout": "\(layout)"]
            )
        case .notExpedited(let reason):
            logger.debug("interfaces are attached to slowly", metadata: ["reason": "\(reason)"])
        case .expeditedPutBack:
            logger.notice("/sys/kernel/rcu_expedited was 1 for a run that was killed, and is 0 again")
        case .stillExpedited(let reason):
            logger.warning(
                "/sys/kernel/rcu_expedited is 1 for Weir and cannot be set to 0: do it by hand",
                metadata: ["reason": "\(reason)"]
            )
        case .failed(let name, let reason):
            logger.warning("cannot watch \(name)", metadata: ["reason": "\(reason)"])
        }
    }
}
