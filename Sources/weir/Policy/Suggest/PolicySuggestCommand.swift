import ArgumentParser
import ClusterModel
import ClusterSource
import Foundation
import Glibc
import Query
import Records
import Screen
import Store

extension PolicyCommand {
    /// `weir policy suggest`.
    struct Suggest: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write policies that allow what was recorded, and nothing else.",
            discussion: """
                A policy for each workload of the namespace, with a rule for each peer that it had allowed connections with, \
                and a comment on what was seen. Workloads are selected by as few labels as distinguish them, networks by \
                single addresses, never by wider prefixes. Connections without a rule are listed at the top, with the reason. At the end the \
                policies are asked about all that was seen (weir policy preview): nothing may be denied by them.

                What is rare may not have been seen: look for 'seen once', and at the time that is covered. --staged writes \
                Calico's staged policies, which change nothing until they are enforced and show in records what they would do.

                Exit codes: 0 done, 1 something that was seen would be denied, or the records or the inventory cannot be \
                read, 2 wrong usage.

                Examples:
                  weir policy suggest --inventory cluster.yaml -n shop --since 7d > shop.yaml
                  weir policy suggest --kubeconfig ~/.kube/config -n shop --kind calico --staged --tier application
                  weir policy suggest --inventory cluster.yaml -n shop --flows flows.log
                """
        )

        /// The kind of the policies.
        enum Kind: String, ExpressibleByArgument, CaseIterable {
            case kubernetes, calico
        }

        @Option(name: [.customShort("n"), .long], help: "The namespace whose policies are suggested.")
        var namespace: String

        @OptionGroup(title: "The cluster")
        var inventory: InventoryQueryOptions

        @Option(help: "kubernetes: NetworkPolicy. calico: NetworkPolicy of projectcalico.org.")
        var kind = Kind.kubernetes

        @Flag(help: "Calico's staged variant of the kind: nothing is enforced.")
        var staged = false

        @Option(help: ArgumentHelp("Calico's tier. Default: Calico's own, default.", valueName: "name"))
        var tier: String?

        @Option(help: ArgumentHelp("Records of a file, - is standard input. Default: the store.", valueName: "file"))
        var flows: String?

        @Option(help: ArgumentHelp("The store. Default: \(RecordSourceOptions.defaultStore).", valueName: "path"))
        var store: String?

        @OptionGroup(title: "Which time")
        var range: RangeOptions

        @OptionGroup(title: "Which records")
        var filter: SuggestionFilter

        func validate() throws {
            guard !namespace.isEmpty else { throw ValidationError("--namespace: the name is empty") }
            guard flows == nil || store == nil else { throw ValidationError("--flows and --store: give one of them") }
            guard tier == nil || kind == .calico else {
                throw ValidationError("--tier: policies of Kubernetes are in no tier; give --kind calico")
            }
            if let tier, tier.isEmpty || !tier.utf8.allSatisfy({ 0x61...0x7a ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x2d })
            {
                throw ValidationError("--tier '\(tier)': small letters, digits and '-' are needed")
            }
        }

        func run() throws {
            let before = try PolicySources(inventory, format: .enterprise, purpose: "policy suggest")
            try before.load()
            let seen = try SeenConnections(flows: flows, store: store, range, filter.expression)
            let selectors = WorkloadSelectors(before.tracer)
            var suggestion = PolicySuggestion(namespace, selectors, hasICMP: kind == .calico)
            for connection in seen.allowed { suggestion.add(connection) }
            guard !suggestion.used.isEmpty else {
                throw CommandFailure(
                    description: "no allowed connection of namespace \(namespace) is recorded in this time"
                        + (seen.allowed.isEmpty ? ", nor any other" : "")
                )
            }
            let text = SuggestionText(suggestion, seen, namespace: namespace, workloads: selectors.workloads(namespace))
            // The suggested policies are checked as enforced, even if they are written as staged.
            var checked = SuggestionKind(isCalico: kind == .calico, tier: tier)
            let preview = try check(text.policies(checked), suggestion.used, before)
            checked.isStaged = staged
            var output = OutputBuffer()
            for line in text.head + text.policies(checked) + text.result(preview) { output.append(line: line) }
            try output.flush()
            let denied = preview.changes.filter { $0.after == .deny }
            guard denied.isEmpty else {
                throw CommandFailure(
                    description:
                        "\(denied.count) pairs that were seen would be denied: they are listed at the end of the output"
                )
            }
        }

        /// Evaluates the policies for the recorded connections.
        private func check(
            _ policies: [String],
            _ connections: [RecordedConnection],
            _ before: PolicySources
        ) throws -> PolicyPreview {
            let written: TextObjects
            do {
                written = try TextObjects(Array(policies.joined(separator: "\n").utf8), name: "the suggestion")
            } catch {
                throw CommandFailure(description: "the suggestion is not YAML: \(error.reason)")
            }
            let after = before.forked()
            try PolicyChange(applied: written.objects).apply(to: after)
            var preview = PolicyPreview(before: before.tracer, after: after.tracer, enforcesStaged: false)
            preview.judge(connections)
            return preview
        }
    }
}

/// Selects the records to derive rules from, in addition to the namespace.
struct SuggestionFilter: ParsableArguments {
    @Option(
        name: .customLong("filter"),
        help: ArgumentHelp("Only records that match this expression.", valueName: "expr")
    )
    var expression: String?
}
