import Datapath
import Export
import FlowLog
import FlowModel
import Names
import Server

/// Writes metrics of flows, records, outputs and losses.
struct RecordMetrics: MetricsSource {
    let board: RunBoard
    let tally: RecordTally
    let losses: LossWatch
    let outputs: LiveOutputs
    let tracker: Conntrack?

    func write(to writer: inout MetricsWriter) {
        let records = board.records
        writePipeline(records, to: &writer)
        if let names = records.names { writeNames(names, to: &writer) }
        writeUnrecorded(board.kernel.reading, to: &writer)
        writeOutputs(to: &writer)
        writeConntrack(to: &writer)
        writeLosses(losses.reading, to: &writer)
    }

    private func writePipeline(_ records: RunBoard.Records, to writer: inout MetricsWriter) {
        let statistics = records.statistics
        writer.family("weir_pipeline_flows", .gauge, "Flows that are kept in memory, by state.")
        for (state, count) in [
            ("live", statistics?.liveFlows ?? 0), ("ended", statistics?.endedFlows ?? 0),
            ("held", statistics?.heldFlows ?? 0),
            ("unreported", statistics?.unreportedFlows ?? 0), ("denied", statistics?.deniedFlows ?? 0),
        ] {
            writer.sample(MetricLabels(["state": state]), UInt64(clamping: count))
        }
        writer.family("weir_pipeline_groups", .gauge, "Records that the next flush is going to write.")
        writer.sample(.none, UInt64(clamping: statistics?.groups ?? 0))
        writer.family("weir_pipeline_flow_memory_bytes", .gauge, "Memory that flows are counted to take.")
        writer.sample(.none, UInt64(clamping: statistics?.memory ?? 0))
        writer.family("weir_pipeline_records", .counter, "Records that were made.")
        writer.sample(.none, records.records)
        writer.family(
            "weir_pipeline_flush_duration_seconds",
            .histogram,
            "How long it took to make the records of an interval."
        )
        writer.sample(.none, records.flushes)
        writer.family(
            "weir_policy_mismatch_connections",
            .counter,
            "Connections on which the kernel's verdict differs from the policies' verdict."
        )
        writer.sample(MetricLabels(["kernel": "denied"]), statistics?.unexpectedDenials ?? 0)
        writer.sample(MetricLabels(["kernel": "allowed"]), statistics?.unexpectedAllowances ?? 0)
        writer.family(
            "weir_pipeline_foreign_packets",
            .counter,
            "Packets that workloads sent under addresses that are not theirs."
        )
        writer.sample(.none, statistics?.foreignPackets ?? 0)
    }

    private func writeNames(_ names: DomainTracker.Statistics, to writer: inout MetricsWriter) {
        writer.family("weir_dns_messages", .counter, "DNS messages to clients, by what came of them.")
        for (result, count) in [
            ("answered", names.lookups), ("unasked", names.unasked), ("malformed", names.malformed),
        ] {
            writer.sample(MetricLabels(["result": result]), count)
        }
        writer.family("weir_dns_known_addresses", .gauge, "Addresses that a client has looked up by name.")
        writer.sample(.none, UInt64(clamping: names.known))
    }

    private func writeUnrecorded(_ reading: DatapathReading, to writer: inout MetricsWriter) {
        let account = tally.account
        var notIP = TrafficCounters.zero
        var unparsed = TrafficCounters.zero
        for account in reading.watched + [reading.gone] {
            notIP += account.ingress.notIP + account.egress.notIP
            unparsed += account.ingress.unparsed + account.egress.unparsed
        }
        let reasons: [(MetricLabels, TrafficCounters)] = [
            (MetricLabels(["reason": "transit"]), account.unrecorded.transit),
            (MetricLabels(["reason": "unknown"]), account.unrecorded.unknown),
            (MetricLabels(["reason": "not_ip"]), notIP), (MetricLabels(["reason": "unparsed"]), unparsed),
        ]
        let families: [(String, String, (TrafficCounters) -> UInt64)] = [
            ("packets", "Packets", \.packets), ("bytes", "Bytes", \.bytes),
        ]
        for (unit, noun, value) in families {
            writer.family(
                "weir_records_carried_\(unit)",
                .counter,
                "\(noun) that endpoints sent and received, or the host forwarded, according to records."
            )
            writer.sample(.none, value(account.recorded))
            writer.family(
                "weir_records_remainder_\(unit)",
                .counter,
                "\(noun) that records have without the other end."
            )
            writer.sample(.none, value(account.remainder))
            writer.family(
                "weir_records_elsewhere_\(unit)",
                .counter,
                "\(noun) of one interface that another one's records have."
            )
            writer.sample(.none, value(account.unrecorded.elsewhere))
            writer.family("weir_records_missing_\(unit)", .counter, "\(noun) that are in no record, by why.")
            for (labels, counters) in reasons { writer.sample(labels, value(counters)) }
        }
    }

    private func writeOutputs(to writer: inout MetricsWriter) {
        let states = outputs.standings.map { ($0.name, $0.statistics, $0.isClosed) }
        writer.family("weir_output_records", .counter, "Records that an output took, by what became of them.")
        for (name, statistics, _) in states {
            for (result, count) in [
                ("delivered", statistics.delivered), ("queue_full", statistics.drops.queueFull),
                ("passed_over", statistics.passedOver), ("too_long", statistics.drops.tooLong),
                ("refused", statistics.drops.refused), ("rejected", statistics.drops.rejected),
                ("unsent", statistics.drops.unsent), ("damaged", statistics.drops.damaged),
            ] {
                writer.sample(MetricLabels(["output": name, "result": result]), UInt64(clamping: count))
            }
        }
        writer.family("weir_output_queue_records", .gauge, "Records that wait for an output.")
        for (name, statistics, _) in states {
            writer.sample(MetricLabels(["output": name]), UInt64(clamping: statistics.queued))
        }
        writer.family("weir_output_raised_levels", .gauge, "Levels by which records are aggregated further.")
        for (name, statistics, _) in states {
            writer.sample(MetricLabels(["output": name]), UInt64(clamping: statistics.raisedLevels))
        }
        writer.family("weir_output_raises", .counter, "Times that an output fell so far behind.")
        for (name, statistics, _) in states {
            writer.sample(MetricLabels(["output": name]), UInt64(clamping: statistics.raises))
        }
        writer.family("weir_output_reconnects", .counter, "Times that a connection was made again.")
        for (name, statistics, _) in states {
            writer.sample(MetricLabels(["output": name]), UInt64(clamping: statistics.reconnects))
        }
        writer.family("weir_output_open", .gauge, "1 while the output takes records.")
        for (name, _, isClosed) in states { writer.sample(MetricLabels(["output": name]), UInt64(isClosed ? 0 : 1)) }
    }

    private func writeConntrack(to writer: inout MetricsWriter) {
        writer.family("weir_conntrack_available", .gauge, "1 if connection tracking answers: NAT is resolved.")
        writer.sample(.none, UInt64(tracker == nil ? 0 : 1))
        guard let statistics = tracker?.statistics else { return }
        writer.family(
            "weir_conntrack_queries",
            .counter,
            "Connection tracking lookups, by answer."
        )
        for (result, count) in [
            ("found", statistics.found), ("failed", statistics.failures), ("skipped", statistics.skipped),
            ("unknown", statistics.queries &- min(statistics.queries, statistics.found + statistics.failures)),
        ] {
            writer.sample(MetricLabels(["result": result]), count)
        }
    }

    private func writeLosses(_ reading: LossReading, to writer: inout MetricsWriter) {
        for counter in LossCounter.all {
            writer.family("weir_loss_\(counter.name)", .counter, counter.message + ".")
            for value in counter.values(in: reading) {
                let output = value.labels["output"]
                writer.sample(output.map { MetricLabels(["output": $0]) } ?? .none, value.total)
            }
        }
        let verdicts = reading.verdicts
        writer.family("weir_nflog_packets", .counter, "Packets reported by log rules, by result.")
        for (result, count) in [
            ("judged", verdicts.judged), ("without_verdict", verdicts.withoutVerdict), ("unparsed", verdicts.unparsed),
            ("crowded_out", verdicts.crowdedOut), ("lost", verdicts.lost),
        ] {
            writer.sample(MetricLabels(["result": result]), count)
        }
        writer.family("weir_nflog_unknown_prefixes", .gauge, "Different log prefixes without a verdict.")
        writer.sample(.none, verdicts.unknownPrefixes)
    }
}
