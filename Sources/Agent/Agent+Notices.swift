import Datapath
import Logging

extension Agent {
    /// Logs a notice of the datapath.
    static func log(_ notice: Datapath.Notice, to logger: Logger) {
        logger.log(level: notice.level, "\(notice.message)", metadata: notice.fields)
    }
}

extension Datapath.Notice {
    /// The level of its line in the log.
    fileprivate var level: Logger.Level {
        switch self {
        case .reattached, .removed, .unreadable: .error
        case .failed, .countedTwice, .unpinned, .stillExpedited, .addressesHidden, .dropsUnavailable,
            .socketsUnavailable, .olderSocketsUnavailable, .ownersUnavailable, .olderProcessesUnavailable,
            .processesUnavailable, .datagramsUnavailable, .dnsUnavailable:
            .warning
        case .drainingTotals, .expeditedPutBack: .notice
        case .attached, .roleChanged, .detached, .renamed, .leftOut, .resumed, .draining: .info
        case .notExpedited: .debug
        }
    }

    /// The text of its line in the log.
    fileprivate var message: String {
        switch self {
        case .attached(let name, _, _, _, _): "watching \(name)"
        case .roleChanged(let name, _, let role, _): "role of \(name) is now \(role.name)"
        case .detached(let name, _): "no longer watching \(name)"
        case .renamed(let old, let new): "\(old) is now \(new)"
        case .failed(let name, _): "cannot watch \(name)"
        case .leftOut(let name, let reason): "not watching \(name): \(reason)"
        case .countedTwice(let upper, let lower):
            "packets that cross \(upper) and \(lower) are counted on both: leave one out with --exclude-interface"
        case .reattached(let name, _, _, _):
            "the programs were removed from \(name) and are attached again; the traffic in between is in no record"
        case .removed(let name, _):
            "the programs were removed from \(name) and cannot be attached again: its traffic is in no record"
        case .dropsUnavailable: "drops are not seen"
        case .socketsUnavailable: "sockets are not read: the fields tcp_* and process_* stay empty"
        case .olderSocketsUnavailable: Self.olderSockets
        case .ownersUnavailable:
            "sockets that listen get no owner: the fields process_* of connections that they accept stay empty"
        case .olderProcessesUnavailable:
            "programs of processes that are older than this run are not known: they have neither path nor arguments"
        case .processesUnavailable: Self.processes
        case .datagramsUnavailable:
            "owners of UDP sockets are not read, or not of all: the fields process_* of UDP stay empty"
        case .dnsUnavailable: "DNS messages are not read: dest_domains and the DNS log stay empty"
        case .addressesHidden: Self.hiddenAddresses
        case .unpinned: "nothing is pinned: packets are not counted while no agent runs"
        case .resumed: "resuming the flow table of a previous agent"
        case .draining: "reading the flow table of a previous agent to its end"
        case .drainingTotals: Self.otherVersion
        case .unreadable: Self.unknownVersion
        case .notExpedited: "attaching to many interfaces is slow"
        case .expeditedPutBack: "/sys/kernel/rcu_expedited was 1 for a run that was killed, and is 0 again"
        case .stillExpedited: "/sys/kernel/rcu_expedited is 1 for Weir and cannot be set to 0: do it by hand"
        }
    }

    /// The fields of its line in the log.
    fileprivate var fields: Logger.Metadata {
        switch self {
        case .attached(_, let index, let role, let reason, let mechanism):
            ["ifindex": "\(index)", "role": "\(role.name)", "because": "\(reason)", "attach": "\(mechanism)"]
        case .roleChanged(_, let index, _, let reason): ["ifindex": "\(index)", "because": "\(reason)"]
        case .detached(_, let index): ["ifindex": "\(index)"]
        case .reattached(_, let index, let ingress, let egress):
            [
                "ifindex": "\(index)", "packets_in": "\(ingress.packets)", "packets_out": "\(egress.packets)",
                "bytes_in": "\(ingress.bytes)", "bytes_out": "\(egress.bytes)",
            ]
        case .resumed(let flows, let interfaces): ["flows": "\(flows)", "interfaces": "\(interfaces)"]
        case .draining(let layout), .drainingTotals(let layout), .unreadable(let layout): ["layout": "\(layout)"]
        case .failed(_, let reason), .removed(_, let reason), .unpinned(let reason), .dropsUnavailable(let reason),
            .socketsUnavailable(let reason), .olderSocketsUnavailable(let reason), .ownersUnavailable(let reason),
            .olderProcessesUnavailable(let reason), .processesUnavailable(let reason),
            .datagramsUnavailable(let reason), .dnsUnavailable(let reason), .notExpedited(let reason),
            .stillExpedited(let reason):
            ["reason": "\(reason)"]
        case .renamed, .leftOut, .countedTwice, .addressesHidden, .expeditedPutBack: [:]
        }
    }

    private static let olderSockets = """
        sockets that are older than this run are not read, or not all: the fields tcp_* and process_* of their connections \
        stay empty
        """
    private static let processes = """
        programs of processes are not remembered: those that end at once have neither path nor arguments in records
        """
    private static let hiddenAddresses = """
        the kernel hides the addresses of its functions: drops by XDP programs and nfqueues are not seen as denied; grant \
        CAP_SYSLOG, with kernel.kptr_restrict at most 1
        """
    private static let otherVersion = """
        the flow table of a previous agent is of another version: its unreported counts are reported for each interface, \
        without the other end
        """
    private static let unknownVersion = """
        the flow table of a previous agent is of another version and has no description: its counts since its last flush are in \
        no record, and it stays; stop this run, run the version that made it for one flush, and start this one again; or remove \
        the table with weir detach
        """
}
