import FlowModel
import Lab
import Policy

/// The output of `weir lab --scenario yaobank`: attempts, denied traffic with reasons, allowed traffic, account.
struct YaobankScreen {
    private let screen: LabScreen

    /// Explanations go to standard error if standard output is reserved for records.
    init(isJSON: Bool) {
        screen = LabScreen(isJSON: isJSON)
    }

    // MARK: Before

    /// Describes the participants and the planned traffic.
    func explain(_ bank: YaobankScenario, for duration: TimeArgument) {
        say("The bank: a node and its pods, as network namespaces of this process, removed when it ends.\n")
        screen.list(bank.participants)
        let often = "\(YaobankScenario.perSecond) times a second"
        let seldom = "every \(YaobankScenario.roundsPerAttempt / YaobankScenario.perSecond) seconds"
        let (web, etcd) = (YaobankScenario.webPort, YaobankScenario.databasePort)
        say("\nFor \(duration), over TCP:\n")
        for (call, frequency, policy) in [
            ("customer → summary \(web)", often, "policies allow it"),
            ("summary → database \(etcd)", often, "policies allow it"),
            (
                "customer → database \(etcd)", seldom,
                "no policy in force allows it: nftables drops it, and TCP tries again"
            ),
        ] {
            say("  \(screen.columns([(call, 26), (frequency, 18)]))\(policy)")
        }
        say("\nWeir watches the node and reads the cluster from inventory files.")
    }

    // MARK: After

    /// Shows the results.
    func show(_ outcome: YaobankOutcome) {
        let denied = outcome.denied
        say("\nWhat was denied\n")
        if let first = denied.first {
            show(first, outcome.policies)
            if denied.count > 1 { say("\n  and \(denied.count - 1) more records of other intervals") }
        } else {
            say(
                outcome.dropped.messages == 0
                    ? "  Nothing: the customer did not get to call the database."
                    : "  No record shows it: this kernel gives no reason for dropped packets (see the log)."
            )
        }
        compare(denied, outcome)
        showAllowed(outcome)
        screen.summarize(outcome.report, kernel: outcome.kernel)
    }

    /// Prints the location of the files.
    func showKept(_ path: String) {
        say("\nKept: \(path)/inventory, \(path)/records.jsonl, \(path)/account.json")
    }

    /// Prints a denied record: its main fields and the reason.
    private func show(_ record: YaobankRecord, _ policies: YaobankPolicyWords) {
        let isSource = record.reporter == FlowReporter.source.rawValue
        let side = isSource ? "the caller's side: its egress is denied" : "the called side: its ingress is denied"
        let rows: [(field: String, value: String, remark: String)] = [
            ("action", record.action, "what was done with the packets"),
            ("reporter", record.reporter, side),
            ("source_name_aggr", record.sourceNameAggr, ""),
            ("source_namespace", record.sourceNamespace, ""),
            ("dest_name_aggr", record.destNameAggr, ""),
            ("dest_namespace", record.destNamespace, ""),
            ("dest_port", record.destPort.map { "\($0)" } ?? "null", ""),
            ("num_flows", "\(record.numFlows)", "connections that were tried"),
            ("packets_out", "\(record.packetsOut)", "each try sends its SYN again and again"),
            ("bytes_out", "\(record.bytesOut)", ""),
            ("packets_in", "\(record.packetsIn)", "no answer"),
        ]
        for row in rows {
            let gap = row.remark.isEmpty ? [] : [(row.value, 24)]
            let value = gap.isEmpty ? row.value : screen.columns(gap) + row.remark
            say("  \(screen.columns([(row.field, 18)]))\(value)")
        }
        let (enforced, pending) = (policies.enforced(of: record), policies.pending(of: record))
        show(enforced, "\n  enforced_policies: why")
        // Hits that equal those of the enforced policies are already explained.
        let known = Set(enforced.map(\.text))
        show(pending, "\n  pending_policies: \(Self.verdict(pending))", known: known)
    }

    /// The verdict of staged policies, and the policies that decide it.
    private static func verdict(_ pending: [YaobankPolicyWords.Hit]) -> String {
        guard let last = pending.last.flatMap({ try? PolicyHit($0.text) }) else { return "not known" }
        let does = last.action == .allow ? "it would be allowed" : "it would be denied, too"
        guard last.kind.isStaged else { return "with staged policies in force \(does)" }
        let owner = last.namespace.map { "\($0)/" } ?? ""
        return "\(does), if \(last.kind.rawValue) \(owner)\(last.name) were in force"
    }

    private func show(_ hits: [YaobankPolicyWords.Hit], _ title: String, known: Set<String> = []) {
        say(title)
        if hits.isEmpty { say("    none") }
        for hit in hits {
            say("    \(hit.text)")
            guard !known.contains(hit.text) else { continue }
            for line in Self.wrapped(hit.words, at: 100) { say("      \(line)") }
        }
    }

    /// Compares the records with the counters of nftables.
    private func compare(_ denied: [YaobankRecord], _ outcome: YaobankOutcome) {
        let recorded = YaobankOutcome.recorded(denied)
        let same =
            recorded == outcome.dropped
            ? "the same" : "\(recorded.messages) packets, \(recorded.bytes) bytes: NOT the same"
        say(
            """

              The customer began \(outcome.story.attempts) calls of the database. nftables dropped \
            \(outcome.dropped.messages) packets, \(outcome.dropped.bytes) bytes; denied records have \(same)
            """
        )
    }

    private func showAllowed(_ outcome: YaobankOutcome) {
        say("\nWhat was allowed\n")
        say("  reporter  source → destination                                      flows    bytes in   bytes out")
        for record in outcome.records where record.action == FlowAction.allow.rawValue {
            let numbers = [(UInt64(record.numFlows), 7), (record.bytesIn, 12), (record.bytesOut, 12)]
            let right = numbers.map { screen.pad("\($0.0)", $0.1, onLeft: true) }.joined()
            say("  \(screen.columns([(record.reporter, 9), (record.ends, 56)]))\(right)")
            if let hit = record.policies?.enforced.last { say("            \(hit)") }
        }
    }

    // MARK: Text

    private func say(_ text: String) {
        screen.say(text)
    }

    /// The words of a text wrapped to lines of a maximum width; longer words are not broken.
    private static func wrapped(_ text: String, at width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
