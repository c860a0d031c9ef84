import Datapath
import Encoding
import Export
import Logging

/// A kind of loss: its counter, its meaning and its remedy.
///
/// The table of all kinds (``all``) is their only list; the log is derived from it.
struct LossCounter: Sendable {
    /// The value of a counter, in total or for one object.
    struct Value: Sendable {
        /// The amount that was lost since the start of the run.
        var total: UInt64
        /// The labels of the metric: the output, the endpoint.
        var labels: [String: String] = [:]
    }

    /// The unique name: words separated by underscores; the last word is the unit.
    let name: String
    /// The unit of the count.
    let unit: String
    /// Whether traffic or records are missing; otherwise they are less detailed, or late.
    let isMissing: Bool
    /// The event, for the log.
    let message: String
    /// The remedy; empty if there is none.
    let advice: String
    private let values: @Sendable (LossReading) -> [Value]

    /// Declares a counter with one value.
    init(
        _ name: String,
        _ unit: String,
        isMissing: Bool = true,
        _ message: String,
        advice: String = "",
        _ value: @escaping @Sendable (LossReading) -> UInt64
    ) {
        self.init(name, unit, isMissing: isMissing, message, advice: advice, each: { [Value(total: value($0))] })
    }

    /// Declares a counter with a value for each of several objects.
    init(
        _ name: String,
        _ unit: String,
        isMissing: Bool = true,
        _ message: String,
        advice: String = "",
        each values: @escaping @Sendable (LossReading) -> [Value]
    ) {
        self.name = name
        self.unit = unit
        self.isMissing = isMissing
        self.message = message
        self.advice = advice
        self.values = values
    }

    /// The counter's values in a reading.
    func values(in reading: LossReading) -> [Value] { values(reading) }

    /// Errors are losses of records and packets; warnings are losses of detail.
    var level: Logger.Level { isMissing ? .error : .warning }
}

// MARK: - All of them

extension LossCounter {
    /// All counters of losses.
    static let all = datapath + pipeline + outputs

    private static let moreSlots = "raise --table-slots"

    private static let datapath: [LossCounter] = [
        LossCounter(
            "flowless_packets",
            "packets",
            isMissing: false,
            "packets are counted without their flow: the flow table, the ring and the memory for more flows are full",
            advice: moreSlots
        ) { $0.datapath.packets },
        LossCounter(
            "flowless_denied_packets",
            "packets",
            isMissing: false,
            "denied packets are counted without their flow, for the same reason",
            advice: moreSlots
        ) { $0.datapath.deniedPackets },
        LossCounter(
            "unwritten_packets",
            "packets",
            isMissing: false,
            "packets of flows that ended are in records without their other end: the previous agent died before it had written them"
        ) { $0.datapath.unwrittenPackets },
        LossCounter(
            "missed_drops",
            "packets",
            isMissing: false,
            "drops were not looked at, because the CPU was busy with another one: denied packets may be missing"
        ) { $0.datapath.missedDrops },
        LossCounter(
            "unparsed_drops",
            "packets",
            isMissing: false,
            "dropped packets have headers that cannot be read: they are denied in no record"
        ) { $0.datapath.unparsedDrops },
        LossCounter(
            "nflog_lost_packets",
            "packets",
            isMissing: false,
            "log rules log more than can be read: verdicts are missing",
            advice: "log only new connections (ct state new), or limit the rule (limit rate)"
        ) { $0.verdicts.lost },
        LossCounter(
            "nflog_crowded_out_packets",
            "packets",
            isMissing: false,
            "log rules log packets of too many different kinds: verdicts are missing",
            advice: "log only new connections (ct state new), or limit the rule (limit rate)"
        ) { $0.verdicts.crowdedOut },
        LossCounter(
            "missed_sockets",
            "sockets",
            isMissing: false,
            "sockets, or owners in sockets, found no room, or an event came while its program was running: the fields "
                + "tcp_* and process_* of their connections may be incomplete"
        ) { $0.datapath.missedSockets },
        LossCounter(
            "missed_dns_messages",
            "messages",
            isMissing: false,
            "more DNS messages than there is room for at a time: names may be missing in dest_domains"
        ) { $0.datapath.missedDNS },
        LossCounter(
            "refused_names",
            "names",
            isMissing: false,
            "a client looked up more names than Weir keeps for it: names may be missing in dest_domains"
        ) { $0.refusedNames },
        LossCounter(
            "conntrack_failures",
            "questions",
            isMissing: false,
            "connection tracking did not answer: NAT of these connections is not resolved"
        ) { $0.conntrackFailures },
        LossCounter(
            "conntrack_skipped_flows",
            "flows",
            isMissing: false,
            "too many new flows for connection tracking lookups: NAT of these is not resolved"
        ) { $0.skippedQuestions },
        LossCounter(
            "crowded_out_flows",
            "flows",
            isMissing: false,
            "flows outside of the flow table made room for those of other interfaces: they are in records without their other end",
            advice: moreSlots
        ) { $0.datapath.foldedFlows },
    ]

    private static let pipeline: [LossCounter] = [
        LossCounter(
            "delayed_batches",
            "batches",
            isMissing: false,
            "records are made more slowly than flows begin: counts wait in the kernel and come late",
            advice: "give Weir more CPU, or watch fewer interfaces"
        ) { $0.delayedBatches },
        LossCounter(
            "abandoned_batches",
            "batches",
            "the run ended before everything that was counted was taken in: records are missing"
        ) { $0.abandonedBatches },
        LossCounter(
            "remainder_packets",
            "packets",
            isMissing: false,
            "packets are in records without their other end: there was no room for their flows",
            advice: moreSlots
        ) { $0.remainderPackets - min($0.remainderPackets, $0.datapath.unwrittenPackets) },
        LossCounter(
            "folded_flows",
            "flows",
            isMissing: false,
            "flows are in records without their other end: their interfaces have more of them than their share of memory",
            advice: "raise --memory-limit"
        ) { $0.foldedFlows },
        LossCounter(
            "coarse_flows",
            "flows",
            isMissing: false,
            "flows are in records without addresses: their interfaces have more of them than there is memory for",
            advice: "raise --memory-limit"
        ) { $0.coarseFlows },
        LossCounter(
            "reduced_flows",
            "flows",
            isMissing: false,
            "too many new flows at the end to take in each of them: their packets are in records without the other end"
        ) { $0.reducedFlows },
        LossCounter(
            "unasked_flows",
            "flows",
            isMissing: false,
            "too many new flows at the end for connection tracking lookups: NAT of these is not resolved"
        ) { $0.unaskedFlows },
        LossCounter(
            "unlinked_records",
            "records",
            isMissing: false,
            "too many pairs of endpoints, or of them with new verdicts, to link them all with changes of the cluster"
        ) { $0.unlinkedRecords },
        LossCounter(
            "unrecorded_denied_packets",
            "packets",
            isMissing: false,
            "denied packets are in no record: neither end is this node's, or they were dropped before they were counted"
        ) { $0.unrecordedDenials },
        LossCounter(
            "untraced_forwarded_connections",
            "connections",
            isMissing: false,
            "policies have too many different results for forwarded connections: some are in no record with reporter fwd"
        ) { $0.untracedForwards },
        LossCounter(
            "shortened_label_sets",
            "label_sets",
            isMissing: false,
            "labels are longer than a record may have them, and some are left out",
            advice: "raise --max-label-bytes",
            each: { [Value(total: $0.shortened.labelSets, labels: $0.shortenedEndpoint.map { ["last": $0] } ?? [:])] }
        ),
        LossCounter(
            "shortened_names",
            "names",
            isMissing: false,
            "names are longer than Kubernetes allows, and cut off in records"
        ) { $0.shortened.names },
        LossCounter(
            "shortened_policy_traces",
            "traces",
            isMissing: false,
            "more policies decided than a record has room for, and hits between the first ones and the last are left out"
        ) { $0.shortened.policyTraces },
    ]

    private static let outputs: [LossCounter] = [
        LossCounter(
            "output_queue_full_records",
            "records",
            "output queue is full, new records are dropped, those of the busiest endpoints first",
            advice: "make its reader faster, or aggregate more (--aggregation-allowed 2)",
            each: { drops($0) { $0.queueFull } }
        ),
        LossCounter(
            "output_too_long_records",
            "records",
            "records are too long for a datagram, and dropped",
            advice: "lower --max-label-bytes, or use tcp: or unix:",
            each: { drops($0) { $0.tooLong } }
        ),
        LossCounter(
            "output_refused_records",
            "records",
            "errors came back for datagrams of an output: records are lost, or may be",
            advice: "start the reader, and see why the network or a filter refuses; or use tcp: or unix:",
            each: { drops($0) { $0.refused } }
        ),
        LossCounter(
            "output_rejected_records",
            "records",
            "a server refuses records, whenever they are sent: they are dropped, or kept in the dead-letter file",
            advice: "read the reason in the log, and check what the server must have (weir schema)",
            each: { drops($0) { $0.rejected } }
        ),
        LossCounter(
            "output_unsent_records",
            "records",
            "an output ended before all records were written",
            each: { drops($0) { $0.unsent } }
        ),
        LossCounter(
            "output_damaged_records",
            "records",
            "the disk has changed what a spool kept: records are lost",
            advice: "check the disk (dmesg, smartctl)",
            each: { drops($0) { $0.damaged } }
        ),
    ]

    private static func drops(_ reading: LossReading, _ reason: (OutputDrops) -> Int) -> [Value] {
        reading.outputs.map { Value(total: UInt64(reason($0.drops)), labels: ["output": $0.name]) }
    }
}
