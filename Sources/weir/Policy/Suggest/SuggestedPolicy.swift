import FlowModel
import Foundation
import Screen

/// The kind of the suggested policies.
struct SuggestionKind {
    /// Whether they are Calico policies; otherwise they are Kubernetes policies.
    var isCalico = false
    /// Whether they are staged: visible in records, but not enforced.
    var isStaged = false
    /// Calico's tier; nil for Calico's `default` tier.
    var tier: String?
}

/// Writes the policy of a workload as YAML, with the evidence for each rule as a comment.
struct SuggestedPolicy {
    private let workload: PolicySuggestion.Workload
    private let namespace: String
    private let kind: SuggestionKind

    /// Takes the rules of a workload.
    init(_ workload: PolicySuggestion.Workload, in namespace: String, _ kind: SuggestionKind) {
        (self.workload, self.namespace, self.kind) = (workload, namespace, kind)
    }

    /// The lines of the document.
    var lines: [String] {
        var lines = [
            "---", "# \(Self.comment(workload.name)): \(count(workload.ingress)) in, \(count(workload.egress)) out",
        ]
        if !workload.selector.others.isEmpty {
            let others = workload.selector.others.map(Self.comment).joined(separator: ", ")
            lines.append("# has no label that only it has: these are selected, too: \(others)")
        }
        lines += kind.isCalico ? calicoHead : kubernetesHead
        lines += rules("ingress", workload.ingress) + rules("egress", workload.egress)
        return lines
    }

    private func count(_ rules: [PolicySuggestion.Rule.Peer: PolicySuggestion.Rule]) -> String {
        "\(rules.values.reduce(0) { $0 + $1.ports.count }) kinds of connections"
    }

    // MARK: Heads

    private var name: String {
        let plain = String(
            workload.name.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }.prefix(48)
        )
        let base = "allow-seen-\(plain.trimmingCharacters(in: CharacterSet(charactersIn: "-")))"
        return kind.tier.map { "\($0).\(base)" } ?? base
    }

    private var metadata: [String] {
        ["metadata:", "  name: \(Self.text(name))", "  namespace: \(Self.text(namespace))"]
    }

    private var kubernetesHead: [String] {
        let head =
            kind.isStaged
            ? ["apiVersion: projectcalico.org/v3", "kind: StagedKubernetesNetworkPolicy"]
            : ["apiVersion: networking.k8s.io/v1", "kind: NetworkPolicy"]
        return head + metadata + ["spec:", "  podSelector:"] + matchLabels(workload.selector.labels, indent: 4) + [
            "  policyTypes: [Ingress, Egress]"
        ]
    }

    private var calicoHead: [String] {
        [
            "apiVersion: projectcalico.org/v3", "kind: \(kind.isStaged ? "StagedNetworkPolicy" : "NetworkPolicy")",
        ] + metadata + ["spec:"] + (kind.tier.map { ["  tier: \(Self.text($0))"] } ?? []) + [
            "  selector: \(Self.text(Self.selector(workload.selector.labels)))", "  types: [Ingress, Egress]",
        ]
    }

    private func matchLabels(_ labels: [Label], indent: Int) -> [String] {
        let space = String(repeating: " ", count: indent)
        return ["\(space)matchLabels:"] + labels.map { "\(space)  \(Self.text($0.key)): \(Self.text($0.value))" }
    }

    // MARK: Rules

    private func rules(_ side: String, _ rules: [PolicySuggestion.Rule.Peer: PolicySuggestion.Rule]) -> [String] {
        guard !rules.isEmpty else { return ["  \(side): []"] }
        let sorted = rules.values.sorted { Self.order($0) < Self.order($1) }
        return ["  \(side):"] + sorted.flatMap { kind.isCalico ? calico($0, side) : kubernetes($0, side) }
    }

    private static func order(_ rule: PolicySuggestion.Rule) -> String { rule.names.min() ?? "" }

    private func evidence(_ rule: PolicySuggestion.Rule) -> [String] {
        let names = rule.names.sorted().map(Self.comment)
        let list = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
        let ports = sorted(rule).map { port, seen in
            let times = seen.connections == 1 ? "seen once" : "\(seen.connections) connections"
            return
                "\(port.port.map { "\($0)/" } ?? "")\(port.proto.name): \(times), last \(ClockText.full(seen.lastSeen, offset: 0))"
        }
        return ["  # \(list)"] + ports.map { "  #   \($0)" }
    }

    private func sorted(
        _ rule: PolicySuggestion.Rule
    ) -> [(key: PolicySuggestion.Rule.Port, value: PolicySuggestion.Evidence)] {
        rule.ports.sorted {
            ($0.key.proto.rawValue, $0.key.port ?? 0) < ($1.key.proto.rawValue, $1.key.port ?? 0)
        }
    }

    private func kubernetes(_ rule: PolicySuggestion.Rule, _ side: String) -> [String] {
        var lines = evidence(rule) + ["  - \(side == "ingress" ? "from" : "to"):"]
        switch rule.peer {
        case .pods(let namespace, let labels):
            if let namespace {
                lines +=
                    ["    - namespaceSelector:"]
                    + matchLabels([Label(key: "kubernetes.io/metadata.name", value: namespace)], indent: 8)
                lines += ["      podSelector:"] + matchLabels(labels, indent: 8)
            } else {
                lines += ["    - podSelector:"] + matchLabels(labels, indent: 8)
            }
        case .address(let address):
            lines += ["    - ipBlock:", "        cidr: \(Self.text("\(address)/\(address.isIPv4 ? 32 : 128)"))"]
        }
        lines.append("    ports:")
        for (port, _) in sorted(rule) {
            lines.append("    - {protocol: \(port.proto.policyName), port: \(port.port ?? 0)}")
        }
        return lines
    }

    private func calico(_ rule: PolicySuggestion.Rule, _ side: String) -> [String] {
        let end = side == "ingress" ? "source" : "destination"
        var peer: [String]
        switch rule.peer {
        case .pods(let namespace, let labels):
            peer = ["      selector: \(Self.text(Self.selector(labels)))"]
            if let namespace {
                let scope = Self.selector([Label(key: "projectcalico.org/name", value: namespace)])
                peer.append("      namespaceSelector: \(Self.text(scope))")
            }
        case .address(let address):
            peer = ["      nets: [\(Self.text("\(address)/\(address.isIPv4 ? 32 : 128)"))]"]
        }
        let protocols = Dictionary(grouping: sorted(rule), by: \.key.proto).sorted { $0.key.rawValue < $1.key.rawValue }
        var lines = evidence(rule)
        for (proto, ports) in protocols {
            lines += ["  - action: Allow", "    protocol: \(proto.policyName)"]
            let list = ports.compactMap { $0.key.port }.map { "\($0)" }.joined(separator: ", ")
            let ports = list.isEmpty ? [] : ["      ports: [\(list)]"]
            lines += ["    \(end):"] + peer
            if end == "destination" { lines += ports } else if !ports.isEmpty { lines += ["    destination:"] + ports }
        }
        return lines
    }

    // MARK: Texts

    /// A Calico selector that requires all labels.
    private static func selector(_ labels: [Label]) -> String {
        labels.map { label in
            let quote = label.value.contains("'") ? "\"" : "'"
            return "\(label.key) == \(quote)\(label.value)\(quote)"
        }.joined(separator: " && ")
    }

    /// A YAML string; JSON strings are valid YAML, and so are their escapes.
    private static func text(_ text: String) -> String {
        (try? JSONEncoder().encode(text)).map {
            TerminalText.neutralizedJSON(String(decoding: $0, as: UTF8.self).replacing("\\/", with: "/"))
        } ?? "\"\""
    }

    /// Text that cannot end a comment.
    static func comment(_ text: String) -> String { TerminalText.neutralized(text) }
}
