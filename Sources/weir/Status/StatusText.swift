import Agent
import Screen

/// The state of an agent as lines of text.
struct StatusText {
    private let status: AgentStatus

    /// Takes the state.
    init(_ status: AgentStatus) {
        self.status = status
    }

    /// The lines, each with a label and a description.
    var lines: [String] {
        let parts: [(String, [String])] = [
            ("", state), ("watched", watched), ("rates", rates), ("account", account), ("flows", flows),
            ("outputs", outputs), ("losses", losses), ("inventory", inventory), ("findings", findings),
        ]
        return parts.flatMap { name, texts in
            texts.enumerated().map { index, text in
                name.isEmpty ? text : TerminalText.padded(index == 0 ? name : "", to: 11) + text
            }
        }
    }

    private var state: [String] {
        let wrong = status.ailments + status.missing
        let head =
            "weir \(status.version) on \(status.node), up \(Self.span(status.uptime)), \(Self.bytes(Double(status.memory)))"
        return [head + ": " + (wrong.isEmpty ? "ready" : "NOT READY")] + wrong.map { "  \($0)" }
    }

    private var watched: [String] {
        let watched = status.watched
        let more = watched.host > watched.names.count ? ", …" : ""
        let names = watched.names.isEmpty ? "" : " (\(watched.names.joined(separator: ", "))\(more))"
        let senses = [("drops", watched.seesDrops), ("NAT", watched.seesTranslation)]
        let seen = senses.filter(\.1).map(\.0), unseen = senses.filter { !$0.1 }.map(\.0)
        return [
            "\(watched.workload) interfaces of workloads, \(watched.host) others\(names)"
                + (seen.isEmpty ? "" : "; seen: \(seen.joined(separator: ", "))")
                + (unseen.isEmpty ? "" : "; NOT seen: \(unseen.joined(separator: ", ")) (weir doctor)")
        ]
    }

    private var rates: [String] {
        guard let rates = status.rates else { return ["not known yet"] }
        return [
            "\(Self.number(rates.packets)) packets/s, \(Self.bytes(rates.bytes))/s, "
                + "\(Self.number(rates.deniedPackets)) denied/s, \(Self.number(rates.records)) records/s "
                + "(last \(Int(rates.seconds.rounded())) s)"
        ]
    }

    private var account: [String] {
        let account = status.account
        var text = account.isBalanced ? "balanced" : "NOT BALANCED: Weir miscounted; please report it"
        text += "; \(Self.count(account.seen)) packets seen, \(Self.count(account.denied)) denied"
        if account.remainder > 0 { text += ", \(Self.count(account.remainder)) without their flow" }
        if account.gap > 0 { text += ", \(Self.count(account.gap)) while the programs were removed" }
        return [text]
    }

    private var flows: [String] {
        let flows = status.flows
        return [
            "\(flows.table) of \(flows.slots) in the table, \(flows.overflow) outside; "
                + "\(Self.count(status.records)) records, every \(Self.number(status.interval)) s"
        ]
    }

    private var outputs: [String] {
        guard !status.outputs.isEmpty else { return ["none"] }
        return status.outputs.map { output in
            var text = "\(output.name): \(Self.count(UInt64(clamping: output.delivered))) delivered"
            if output.queued > 0 { text += ", \(Self.count(UInt64(clamping: output.queued))) waiting" }
            if output.dropped > 0 { text += ", \(Self.count(UInt64(clamping: output.dropped))) DROPPED" }
            if output.reconnects > 0 { text += ", connected again \(output.reconnects) times" }
            return output.isOpen ? text : text + ": CLOSED"
        }
    }

    private var losses: [String] {
        guard !status.losses.isEmpty else { return ["none"] }
        return status.losses.map { loss in
            let what = loss.unit.replacing("_", with: " ")
            let advice = loss.advice.isEmpty ? "" : "; \(loss.advice)"
            return
                "\(loss.isMissing ? "LOST" : "less detail"): \(Self.count(loss.total)) \(what): \(loss.message)\(advice)"
        }
    }

    private var inventory: [String] {
        let known = status.inventory
        guard known.hasCluster || !known.objects.isEmpty else {
            return ["none: records have addresses only (--kubernetes, --inventory)"]
        }
        let objects = known.objects.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let kinds = objects.prefix(6).map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        var texts = ["\(kinds.isEmpty ? "nothing yet" : kinds); \(known.addresses) addresses"]
        if let seconds = known.unreachableSeconds {
            texts.append("the API server has not been reached for \(Self.span(seconds)): what was known is used")
        }
        if !known.forbiddenKinds.isEmpty {
            texts.append("may not be read: \(known.forbiddenKinds.joined(separator: ", "))")
        }
        if known.brokenFiles > 0 { texts.append("\(known.brokenFiles) files are broken (weir inventory check)") }
        return texts
    }

    private var findings: [String] {
        var texts: [String] = []
        if status.disagreements > 0 {
            texts.append("\(Self.count(status.disagreements)) connections had another verdict than the policies")
        }
        texts += status.firstFindings
        let more = status.findings.values.reduce(0, +) - status.firstFindings.count
        if more > 0 { texts.append("\(more) more things are wrong with policies (weir policy check)") }
        return texts.isEmpty ? ["none"] : texts
    }

    // MARK: Numbers

    private static func number(_ value: Double) -> String {
        if value >= 100 { return count(UInt64(value.rounded())) }
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    private static func count(_ value: UInt64) -> String { ShortNumber.text(value) }

    private static func bytes(_ value: Double) -> String {
        value < 1000 ? "\(Int(value)) B" : "\(ShortNumber.text(UInt64(value)))B"
    }

    private static func span(_ seconds: Double) -> String {
        let seconds = Int(seconds)
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) days"
        }
    }
}
